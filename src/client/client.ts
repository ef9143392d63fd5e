/** The client of a daemon: each route as a method, typed and checked by the schemas of the API. */
import type { IncomingMessage } from 'node:http';
import {
  type AnswerOf,
  type RequestOf,
  ROUTE_NAMES,
  ROUTES,
  type Route,
  type RouteName,
  type Streamed,
} from '../api/index.js';
import { PvusbError } from '../pvusb/index.js';
import { errorOf, notUnderstood } from './errors.js';
import { type EventsOptions, followEvents } from './events.js';
import { type DaemonAddress, failure, type Transport, transportTo } from './transport.js';

/** Options of each call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The routes that are methods with one answer. */
export type MethodName = Exclude<RouteName, 'events'>;

/** The arguments of a method: what is asked may be left out where nothing has to be said. */
export type MethodArguments<Name extends MethodName> =
  Readonly<Record<never, never>> extends RequestOf<Name>
    ? [request?: RequestOf<Name>, options?: CallOptions]
    : [request: RequestOf<Name>, options?: CallOptions];

/**
 * The routes as methods: `await daemon.attach({ domain: 'u1', device: '4-1' })`. Each rejects with the PvusbError that
 * the daemon has met, or with `not-authenticated`, `not-permitted`, `daemon-unreachable`, `daemon-answer`, `aborted`.
 */
export type DaemonMethods = {
  readonly [Name in MethodName]: (...args: MethodArguments<Name>) => Promise<AnswerOf<Name>>;
};

/** A daemon. */
export interface Daemon extends DaemonMethods {
  /**
   * Events, the first one `start`: reconnects by itself and goes on where it was. After `reset` events are missing: look
   * at everything again. Ends when the signal aborts.
   *
   * @throws {PvusbError} what cannot get better: `not-authenticated`, `not-permitted`, `daemon-answer`
   */
  events(options?: EventsOptions): AsyncGenerator<Streamed, void>;
}

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
  ) as unknown as DaemonMethods;
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
    throw notUnderstood(`its answer to ${name} is not one (${why})`);
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
      if (bytes > BYTES_MAX) throw notUnderstood('its answer does not end');
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
    throw notUnderstood('its answer is not JSON');
  }
}
