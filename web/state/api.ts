/** The daemon's API, as far as the page uses it. */
import type { AnswerOf, RequestOf, RouteName, StreamEvent, Streamed } from '../../src/api/index.js';
import { StreamParser } from '../../src/api/stream-parser.js';
import type { Transport } from './transport.js';

/** The routes that are used, by their paths. */
const PATHS = {
  whoami: ['GET', 'whoami'],
  devices: ['GET', 'devices'],
  list: ['GET', 'list'],
  assignments: ['GET', 'assignments'],
  requests: ['GET', 'requests'],
  doctor: ['GET', 'doctor'],
  audit: ['GET', 'audit'],
  attach: ['POST', 'attach'],
  detach: ['POST', 'detach'],
  controllerRemove: ['POST', 'controller/remove'],
  assign: ['POST', 'assign'],
  unassign: ['POST', 'unassign'],
  answer: ['POST', 'requests/answer'],
  doctorFix: ['POST', 'doctor/fix'],
} as const satisfies Partial<Record<RouteName, readonly ['GET' | 'POST', string]>>;

/** The name of a route that is used. */
type UsedName = keyof typeof PATHS;

/** Why something failed, as the daemon says it. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** The code of the error; `unreachable`: nobody answers. */
  readonly code: string;
  /** What to do next. */
  readonly remedy: string;
  /** What an unfinished operation left on the host. */
  readonly leftOver: readonly string[];

  constructor(code: string, message: string, remedy: string, leftOver: readonly string[] = []) {
    super(message);
    this.code = code;
    this.remedy = remedy;
    this.leftOver = leftOver;
  }
}

/** Whatever was thrown, as an error with a remedy. */
export function apiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (thrown instanceof DOMException && thrown.name === 'AbortError')
    return new ApiError('aborted', 'It was stopped.', 'What had been started was undone: see the journal.');
  return new ApiError(
    'unreachable',
    'The daemon does not answer.',
    'The page keeps trying. Is "pvusb serve" running?',
  );
}

/** Calls the daemon. */
export interface Api {
  /** Asks, and gives the answer. Rejects with an ApiError. */
  call<Name extends UsedName>(
    name: Name,
    asked: RequestOf<Name>,
    signal?: AbortSignal,
  ): Promise<AnswerOf<Name>>;
  /** The events of one connection, those after `last`, until it ends: what comes together, together. */
  events(last: string | undefined, signal: AbortSignal): AsyncGenerator<readonly Streamed[]>;
}

/** The API by a transport. */
export function apiBy(transport: Transport): Api {
  return {
    async call(name, asked, signal) {
      const [method, path] = PATHS[name];
      const isGet = method === 'GET';
      const query = isGet ? `${new URLSearchParams(asked as Record<string, string>)}` : '';
      const sent = {
        method,
        path: `/api/v1/${path}${query && `?${query}`}`,
        ...(isGet ? {} : { body: JSON.stringify(asked) }),
        signal,
      };
      try {
        const { status, body } = await transport(sent);
        const text = await textOf(body);
        if (status !== 200) throw errorIn(text, status);
        return JSON.parse(text);
      } catch (error) {
        throw signal?.aborted ? apiError(new DOMException('', 'AbortError')) : apiError(error);
      }
    },
    async *events(last, signal) {
      const headers = {
        Accept: 'text/event-stream',
        ...(last === undefined ? {} : { 'Last-Event-ID': last }),
      };
      const { status, body } = await transport({ method: 'GET', path: '/api/v1/events', headers, signal });
      if (status !== 200) throw errorIn(await textOf(body), status);
      const parser = new StreamParser();
      // Signs of life come as nothing.
      for await (const piece of body)
        yield parser.push(piece).map(({ id, data }) => ({ id, event: JSON.parse(data) as StreamEvent }));
    },
  };
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of body) text += decoder.decode(piece, { stream: true });
  return text + decoder.decode();
}

function errorIn(text: string, status: number): ApiError {
  try {
    const { error } = JSON.parse(text) as { readonly error: ApiError };
    return new ApiError(error.code, error.message, error.remedy, error.leftOver);
  } catch {
    return new ApiError(
      'not-understood',
      `The server that answers is not a pvusb daemon (status ${status}).`,
      'Reload the page.',
    );
  }
}
