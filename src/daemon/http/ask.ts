/** What a handler works with, and how a change is asked for. */
import { randomUUID } from 'node:crypto';
import type { AnswerOf, Changed, RequestOf, RouteName } from '../../api/index.js';
import { toldPlan } from '../../commands/index.js';
import {
  type Host,
  type Inventory,
  type ObserveOptions,
  type OperationOptions,
  observe,
  type Plan,
} from '../../pvusb/index.js';
import type { Actor, Service } from '../service.js';
import { requireTouch, type Touched } from './access.js';

/** Reads the audit. */
export type AuditReader = (query: RequestOf<'audit'>) => Promise<AnswerOf<'audit'>['entries']>;

/** What the API is made of besides the service. */
export interface ApiParts {
  readonly service: Service;
  readonly audit: AuditReader;
  /** Of the program. */
  readonly version: string;
  /** Where names of vendors and products are; the installed file unless given. */
  readonly usbIds?: readonly string[] | undefined;
}

/** One request. */
export interface Ask<Request> {
  readonly parts: ApiParts;
  readonly request: Request;
  readonly actor: Actor;
  /** Aborts when who asked goes away. */
  readonly signal: AbortSignal;
}

/** Answers a request. */
export type Handler<Name extends RouteName> = (ask: Ask<RequestOf<Name>>) => Promise<AnswerOf<Name>>;

/** What a look has to have. */
type Needs = Pick<ObserveOptions, 'asks' | 'uses' | 'rules' | 'details'> & {
  /** As it was last seen is good enough. */
  readonly quick?: boolean | undefined;
};

/** The host as the service knows it: as it is now, or if that is good enough as it was last seen. */
export async function inventoryFor(
  { parts, signal }: Pick<Ask<unknown>, 'parts' | 'signal'>,
  quick: boolean | undefined,
): Promise<Inventory> {
  const { service } = parts;
  return (quick ? service.seen : undefined) ?? service.inventory(signal);
}

/** The host as the service knows it, with what else is needed; looked at as a whole if the service has not read that. */
export function look<T>(
  ask: Pick<Ask<unknown>, 'parts' | 'signal'>,
  { quick, ...needs }: Needs,
  body: (inventory: Inventory, host: Host) => T | Promise<T>,
): Promise<T> {
  const { parts, signal } = ask;
  return parts.service.reading(async (host) => {
    const seen = await inventoryFor(ask, quick);
    const from = hasRead(seen, needs) ? seen : undefined;
    return body(await observe(host, { ...needs, signal, from, rings: true }), host);
  });
}

function hasRead({ ruleFiles, devices }: Inventory, { rules, details }: Needs): boolean {
  const hasDetails = devices.some(({ descriptors }) => descriptors !== undefined);
  return (!rules || ruleFiles !== undefined) && (!details || hasDetails);
}

/** A change. */
interface Change {
  /** The verb, as on the command line. */
  readonly what: string;
  /** The reason given. */
  readonly why?: string | undefined;
  /** What it touches, on the look that its plan is made on. */
  readonly touches?: (seen: Inventory) => Touched;
}

/** Has the service run a change, and tells what it did. */
export async function change<
  Request extends { readonly dryRun?: boolean | undefined; readonly operation?: string | undefined },
  T,
>(
  { parts, request, actor, signal }: Ask<Request>,
  { what, why, touches }: Change,
  body: (
    host: Host,
    options: OperationOptions,
  ) => Promise<{ readonly plans: readonly Plan[]; readonly result: T }>,
): Promise<Changed<T>> {
  const { dryRun = false, operation = randomUUID() } = request;
  const asked = { what, by: actor, request, why, operation, dryRun, signal };
  const onLook = touches === undefined ? undefined : (seen: Inventory) => requireTouch(actor, seen, touches);
  const { plans, result } = await parts.service.operate(asked, (host, options) =>
    body(host, { ...options, onLook: both(options.onLook, onLook) }),
  );
  return { operation, dryRun, result, plans: plans.map(toldPlan) };
}

type OnLook = OperationOptions['onLook'];

function both(one: OnLook, other: OnLook): OnLook {
  if (!one || !other) return one ?? other;
  return (seen) => {
    one(seen);
    other(seen);
  };
}
