/** The table of routes: what can be asked for, by whom, how, and what is answered. */
import type { z } from 'zod';
import * as answers from './answers.js';
import { streamEvent } from './events.js';
import { inventory } from './host.js';
import type { Role } from './model.js';
import * as quiesce from './quiesce.js';
import * as requests from './requests.js';
import * as ruleAnswers from './rule-answers.js';
import * as ruleRequests from './rule-requests.js';

/** How what is in a query is read: texts are taken as they are. */
export type QueryKind = 'boolean' | 'number';

/** One route. */
export interface Route<Request = unknown, Answer = unknown> {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** The least role that may ask; `anyone`: without saying who it is. */
  readonly role: Role | 'anyone';
  /** Of a GET the query, of a POST the body. */
  readonly request: z.ZodType<Request>;
  /** Those fields of a query that are no texts. */
  readonly query?: Readonly<Record<string, QueryKind>>;
  /** Of a stream: each event of it. */
  readonly answer: z.ZodType<Answer>;
  /** `json` unless given. */
  readonly sends?: 'text' | 'stream';
  /** What it does, in a sentence. */
  readonly doc: string;
}

/** Where the routes of operations are. */
const V1 = '/api/v1';

function read<Request, Answer>(
  name: string,
  request: z.ZodType<Request>,
  answer: z.ZodType<Answer>,
  doc: string,
  more: Partial<Pick<Route, 'role' | 'query' | 'sends'>> = {},
): Route<Request, Answer> {
  const path = name.startsWith('/') ? name : `${V1}/${name}`;
  return { method: 'GET', path, role: 'viewer', request, answer, doc, ...more };
}

function change<Request, Answer>(
  name: string,
  role: Role,
  request: z.ZodType<Request>,
  answer: z.ZodType<Answer>,
  doc: string,
): Route<Request, Answer> {
  return { method: 'POST', path: `${V1}/${name}`, role, request, answer, doc };
}

const none = requests.noRequest;

/**
 * Every route by the name of its method in the client. A new one needs a line here and what answers it
 * (`src/daemon/http/handlers`): the compiler points out what is missing, and the document and the client have it.
 */
export const ROUTES = {
  health: read('/healthz', none, answers.healthAnswer, 'Says that the daemon runs.', { role: 'anyone' }),
  readiness: read(
    '/readyz',
    none,
    answers.readinessAnswer,
    'Says whether the daemon serves: status 503 if not.',
    {
      role: 'anyone',
    },
  ),
  metrics: read('/metrics', none, answers.textAnswer, 'Metrics in the text format of Prometheus.', {
    sends: 'text',
  }),
  openapi: read('/openapi.json', none, answers.documentAnswer, 'This document.'),
  version: read('version', none, answers.versionAnswer, 'Says which version answers.'),
  whoami: read('whoami', none, answers.whoamiAnswer, 'Says who asks, and what they may do.'),
  inventory: read('inventory', none, inventory, 'The whole host as it is now.'),
  devices: read(
    'devices',
    requests.devicesRequest,
    answers.devicesAnswer,
    "The host's USB devices, who has them, and whether they can be attached.",
    { query: { all: 'boolean', quick: 'boolean' } },
  ),
  list: read(
    'list',
    requests.listRequest,
    answers.listAnswer,
    'Domains, their controllers, ports and devices.',
    { query: { quick: 'boolean' } },
  ),
  controllerInfo: read(
    'controller/info',
    requests.controllerName,
    answers.controllerAnswer,
    'Everything about a controller.',
    { query: { devid: 'number' } },
  ),
  export: read(
    'export',
    requests.domainRequest,
    answers.exportAnswer,
    'What a guest has, as the settings of its xl.cfg file.',
  ),
  doctor: read(
    'doctor',
    requests.doctorRequest,
    answers.doctorAnswer,
    'What is half done or left over. Takes two seconds if there is something.',
    { query: { quick: 'boolean' } },
  ),
  assignments: read(
    'assignments',
    none,
    ruleAnswers.assignmentsAnswer,
    'The rules that give devices to guests, and what has become of them.',
  ),
  explain: read(
    'explain',
    requests.explainRequest,
    ruleAnswers.explainAnswer,
    'Which rules apply to a device, and why.',
  ),
  check: read('check', none, ruleAnswers.checkAnswer, 'Mistakes in the rules.'),
  requests: read('requests', none, ruleAnswers.requestsAnswer, 'The devices waiting for approval.'),
  quiesced: read(
    'quiesced',
    none,
    quiesce.quiescedAnswer,
    'The guests that are quiesced, and what each gets back.',
  ),
  events: read(
    'events',
    ruleRequests.eventsRequest,
    streamEvent,
    'A stream of server-sent events: how the host changes, and the steps of operations.',
    { sends: 'stream' },
  ),
  audit: read('audit', ruleRequests.auditRequest, ruleAnswers.auditAnswer, 'Who has changed what.', {
    role: 'admin',
    query: { after: 'number', limit: 'number' },
  }),
  attach: change(
    'attach',
    'operator',
    requests.attachRequest,
    answers.attachAnswer,
    'Lends a device to a domain.',
  ),
  detach: change('detach', 'operator', requests.detachRequest, answers.detachAnswer, 'Takes a device back.'),
  controllerAdd: change(
    'controller/add',
    'operator',
    requests.controllerAddRequest,
    answers.controllerAddAnswer,
    'Adds a USB controller to a domain.',
  ),
  controllerRemove: change(
    'controller/remove',
    'operator',
    requests.controllerRequest,
    answers.controllerRemoveAnswer,
    'Detaches the devices of a controller, waits for the guest to let go of it, and removes it.',
  ),
  controllerDestroy: change(
    'controller/destroy',
    'operator',
    requests.controllerRequest,
    answers.controllerRemoveAnswer,
    'The same without waiting for the guest.',
  ),
  release: change(
    'release',
    'operator',
    requests.releaseRequest,
    answers.releaseAnswer,
    'Takes every device and controller from a domain, alive or dead.',
  ),
  apply: change(
    'apply',
    'operator',
    requests.applyRequest,
    answers.applyAnswer,
    'Makes the USB of a domain match settings.',
  ),
  prepare: change(
    'prepare',
    'operator',
    requests.prepareRequest,
    answers.applyAnswer,
    'Waits for a domain and gives it what settings name and the rules assign.',
  ),
  reconcile: change(
    'reconcile',
    'operator',
    ruleRequests.reconcileRequest,
    ruleAnswers.reconcileAnswer,
    'Gives guests what the rules assign to them.',
  ),
  doctorFix: change(
    'doctor/fix',
    'operator',
    requests.fixRequest,
    answers.fixAnswer,
    'Repairs what is half done or left over.',
  ),
  quiesce: change(
    'quiesce',
    'operator',
    quiesce.quiesceRequest,
    quiesce.quiesceAnswer,
    'Takes all devices off a guest for a while, and answers with a token.',
  ),
  restore: change(
    'restore',
    'operator',
    quiesce.restoreRequest,
    quiesce.restoreAnswer,
    'Gives a quiesced guest back what it had.',
  ),
  forget: change(
    'restore/forget',
    'operator',
    quiesce.restoreRequest,
    quiesce.forgetAnswer,
    'Gives up what a quiesced guest had.',
  ),
  answer: change(
    'requests/answer',
    'operator',
    ruleRequests.answerRequest,
    ruleAnswers.answerAnswer,
    'Decides whether a guest gets a device that is waiting for approval.',
  ),
  assign: change('assign', 'admin', ruleRequests.assignRequest, ruleAnswers.assignAnswer, 'Makes a rule.'),
  unassign: change(
    'unassign',
    'admin',
    ruleRequests.unassignRequest,
    ruleAnswers.unassignAnswer,
    'Removes rules.',
  ),
  import: change(
    'import',
    'viewer',
    ruleRequests.importRequest,
    ruleAnswers.importAnswer,
    "Makes rules of another program's file; nothing is written.",
  ),
} as const satisfies Readonly<Record<string, Route>>;

/** The name of a route. */
export type RouteName = keyof typeof ROUTES;

/** What a route is asked with. */
export type RequestOf<Name extends RouteName> = z.infer<(typeof ROUTES)[Name]['request']>;

/** What a route answers. */
export type AnswerOf<Name extends RouteName> = z.infer<(typeof ROUTES)[Name]['answer']>;

/** The names of all routes. */
export const ROUTE_NAMES = Object.keys(ROUTES) as RouteName[];
