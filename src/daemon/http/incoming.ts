/** Reads what a request says, and refuses what it must not say. */
import type { IncomingMessage } from 'node:http';
import { type QueryKind, ROUTE_NAMES, ROUTES, type Route, type RouteName } from '../../api/index.js';
import { PvusbError } from '../../pvusb/index.js';
import { printable } from '../../sysfs/index.js';
import { HttpProblem, invalid } from './problem.js';

/** What was asked for: the path as it came, and the query without its question mark. */
interface Target {
  readonly path: string;
  readonly query: string;
}

/** Splits the target of a request. Nothing in it is decoded: no path of ours needs that. */
export function targetOf({ url = '' }: Pick<IncomingMessage, 'url'>): Target {
  const at = url.indexOf('?');
  return at === -1 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

const BY_PATH: ReadonlyMap<string, RouteName> = new Map(ROUTE_NAMES.map((name) => [ROUTES[name].path, name]));

/** Longest sentence about a request, which may repeat what it says. */
const SENTENCE_MAX = 500;

/** Longest part of a path that is repeated in an error. */
const SHOWN_MAX = 100;

/**
 * The route that was asked for.
 *
 * @throws {HttpProblem} there is none, or not with that method
 */
export function routeFor(path: string, method: string | undefined): RouteName {
  const name = BY_PATH.get(path);
  if (name === undefined) {
    const sentence = `There is no operation at ${printable(path.slice(0, SHOWN_MAX))}.`;
    throw new HttpProblem(404, new PvusbError('no-such-route', sentence));
  }
  const { method: allowed } = ROUTES[name];
  if (method === allowed) return name;
  const problem = new PvusbError('no-such-route', `${path} is for ${allowed} only.`);
  throw new HttpProblem(405, problem, { Allow: allowed });
}

/**
 * The request, checked: from the query of a GET, from the body of a POST.
 *
 * @throws {HttpProblem} it is not what the route takes
 */
export function parseRequest(name: RouteName, query: string, body: Buffer): unknown {
  const route: Route = ROUTES[name];
  const untrusted = route.method === 'GET' ? parseQuery(route, query) : parseBody(query, body);
  const { success, data, error } = route.request.safeParse(untrusted);
  if (success) return data;
  const [issue] = error.issues;
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
  const sentence = printable(`${where}${issue?.message ?? 'This is not what the operation accepts.'}`);
  throw invalid(sentence.slice(0, SENTENCE_MAX));
}

function parseQuery({ query: kinds = {} }: Route, untrustedQuery: string): Record<string, unknown> {
  const found = new Map<string, unknown>();
  for (const [key, value] of new URLSearchParams(untrustedQuery)) {
    if (found.has(key)) throw invalid(`${printable(key.slice(0, SHOWN_MAX))} is given twice.`);
    found.set(key, Object.hasOwn(kinds, key) ? readValue(kinds[key]!, value) : value);
  }
  return Object.fromEntries(found);
}

/** A text that is not of that kind stays as it is: the schema refuses it. */
function readValue(kind: QueryKind, text: string): unknown {
  if (kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

function parseBody(query: string, body: Buffer): unknown {
  if (query !== '') throw invalid('The parameters belong in the body, not in the query.');
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw invalid('The body is not JSON in UTF-8.');
  }
}

const JSON_TYPE = /^application\/json(?:\s*;\s*charset=("?)utf-8\1)?\s*$/i;

/**
 * Reads the body of a POST; of a GET there must be none.
 *
 * @throws {HttpProblem} not JSON by its type, encoded, too long; PvusbError `aborted`: it never came
 */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const { method, headers } = request;
  const length = headers['content-length'];
  if (method !== 'POST') {
    const hasBody = headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
    if (hasBody) throw closing(invalid(`A ${method} has no body.`));
    return Buffer.alloc(0);
  }
  if (!JSON_TYPE.test(headers['content-type'] ?? ''))
    throw closing(invalid('The body must be of type application/json.', 415));
  if (headers['content-encoding'] !== undefined) throw closing(invalid('The body must not be encoded.', 415));
  const tooLong = (): HttpProblem => closing(invalid(`The body has more than ${bytesMax} bytes.`, 413));
  if (Number(length) > bytesMax) throw tooLong();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw tooLong();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof HttpProblem) throw error;
    throw new PvusbError('aborted', 'The request ended before it was complete.', { cause: error });
  }
  return Buffer.concat(chunks);
}

/** After what was not read to its end nothing else can come. */
function closing({ status, error, headers }: HttpProblem): HttpProblem {
  return new HttpProblem(status, error, { ...headers, Connection: 'close' });
}
