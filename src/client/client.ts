/** The client of a daemon: each route as a method, typed and checked by the schemas of the API. */
import type { IncomingMessage } from 'node:http';
import {
  type AnswerOf,
  type RequestOf,
  ROUTE_NAMES,
  ROUTES,
  type Route,
  type RouteName,
} from '../api/index.js';
import { PvusbError } from '../pvusb/index.js';
import type { CallOptions, Daemon } from './daemon.js';
import { errorOf, notUnderstood } from './errors.js';
import { followEvents } from './events.js';
import { type DaemonAddress, failure, type Transport, transportTo } from './transport.js';

/** The routes that are methods with one answer. */
type MethodName = Exclude<RouteName, 'events'>;

/** The methods by the table of routes: the compiler compares them with those that are documented. */
type Methods = {
  readonly [Name in MethodName]: (
    request?: RequestOf<Name>,
    options?: CallOptions,
  ) => Promise<AnswerOf<Name>>;
};

/**
 * A client of the daemon at an address. Nothing is sent before something is asked for, and nothing has to be closed.
 *
 * @throws {PvusbError} `invalid-argument`: the URL is none, or would send the token in the clear
 */
export function openDaemon(address: DaemonAddress): Daemon {
  const transport = transportTo(address);
  const methods = Object.fromEntries(
    ROUTE_NAMES.filter((name) => name !== 'events').map((name) => [
      name,
      (request: unknown, options?: CallOptions) => call(transport, name, request, options),
    ]),
  ) as unknown as Methods;
  return { ...methods, events: (options) => followEvents(transport, options) };
}

/** Longest answer, in bytes: the inventory of a large host has some megabytes. */
const BYTES_MAX = 256_000_000;

async function call(
  transport: Transport,
  name: MethodName,
  request: unknown = {},
  { signal }: CallOptions = {},
): Promise<unknown> {
  const route: Route = ROUTES[name];
  const asked = check(route.request.safeParse(request), (why) => {
    throw new PvusbError('invalid-argument', `${name}: ${why}`);
  });
  const { method } = route;
  const path = method === 'GET' ? `${route.path}${queryOf(asked)}` : route.path;
  const body = method === 'GET' ? undefined : JSON.stringify(asked);
  const response = await transport({ method, path, body, signal });
  const text = await textOf(response, signal);
  // What is not ready says so in its answer.
  const isAnswer = response.statusCode === 200 || (name === 'readiness' && response.statusCode === 503);
  if (!isAnswer) throw errorOf(response, text);
  if (route.sends === 'text') return text;
  return check(route.answer.safeParse(dataIn(text)), (why) => {
    throw notUnderstood(`the answer to ${name} is not valid (${why})`);
  });
}

function check<T>(
  parsed: { readonly success: true; readonly data: T } | { readonly success: false; readonly error: ZodLike },
  refuse: (why: string) => never,
): T {
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return refuse(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`);
}

interface ZodLike {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

function queryOf(asked: unknown): string {
  const entries = Object.entries(asked as Readonly<Record<string, unknown>>).filter(
    ([, value]) => value !== undefined,
  );
  const query = new URLSearchParams(Object.fromEntries(entries.map(([key, value]) => [key, String(value)])));
  return entries.length === 0 ? '' : `?${query}`;
}

async function textOf(response: IncomingMessage, signal: AbortSignal | undefined): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > BYTES_MAX) throw notUnderstood('it does not end');
      chunks.push(chunk);
    }
  } catch (error) {
    throw failure(error, 'The daemon', signal);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function dataIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notUnderstood('it is not JSON');
  }
}
