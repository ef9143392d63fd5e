/** Turns requests into promises: one request, or many reads that share one promise. */
import { type Connection, checkPayload, errnoError, type ReplySink, type Request } from './connection.js';
import type { XenstoreError } from './errors.js';
import { describeType, type MessageType } from './wire.js';

/** Options of every call. */
export interface CallOptions {
  /** Gives the call up: it rejects at once with the signal's reason. What was sent may still be carried out. */
  readonly signal?: AbortSignal | undefined;
}

/** What one call asks. */
export interface Ask {
  readonly type: MessageType;
  readonly transactionId?: number;
  /** For error texts. */
  readonly path?: string | undefined;
  /** ASCII part of the payload; must not be empty (an empty payload crashes xenstored 4.17). */
  readonly text: string;
  readonly value?: Buffer;
}

/** Makes one request; the promise gives a copy of the reply's payload. Rejects with {@link XenstoreError}. */
export function call(connection: Connection, ask: Ask, options: CallOptions = {}): Promise<Buffer> {
  const operation = describeType(ask.type);
  return new Promise<Buffer>((resolve, reject) => {
    checkPayload(operation, ask.path, ask.text.length + (ask.value?.length ?? 0));
    const settle = abandonable(connection, options.signal, reject);
    const sink: ReplySink = {
      get abandoned() {
        return settle.abandoned;
      },
      reply: (payload) => settle.done(() => resolve(Buffer.from(payload))),
      errno: (name) => settle.done(() => reject(errnoError(name, operation, ask.path))),
      fail: (error) => settle.done(() => reject(inCall(error, operation, ask.path))),
    };
    if (!settle.abandoned) {
      connection.submit({ ...request(ask), sink, index: 0 });
    }
  });
}

function request(ask: Ask): Omit<Request, 'sink' | 'index'> {
  return { type: ask.type, transactionId: ask.transactionId ?? 0, text: ask.text, value: ask.value };
}

/**
 * Makes many requests of one type that share one promise: cheaper than a promise each. `decode` sees each
 * payload during the reply only. A missing node (ENOENT) gives undefined at its place; any other error rejects.
 */
export function callMany<T>(
  connection: Connection,
  ask: { readonly type: MessageType; readonly transactionId: number; readonly paths: readonly string[] },
  decode: (payload: Buffer) => T,
  options: CallOptions = {},
): Promise<(T | undefined)[]> {
  const { type, transactionId, paths } = ask;
  if (paths.length === 0) return Promise.resolve([]);
  return new Promise((resolve, reject) => {
    const settle = abandonable(connection, options.signal, reject);
    const results = new Array<T | undefined>(paths.length).fill(undefined);
    let left = paths.length;
    const arrived = (): void => {
      if (--left === 0) settle.done(() => resolve(results));
    };
    const sink: ReplySink = {
      get abandoned() {
        return settle.abandoned;
      },
      reply(payload, index) {
        results[index] = decode(payload);
        arrived();
      },
      errno(name, index) {
        if (name === 'ENOENT') arrived();
        else settle.done(() => reject(errnoError(name, describeType(type), paths[index])));
      },
      fail: (error) => settle.done(() => reject(inCall(error, describeType(type), undefined))),
    };
    for (let index = 0; index < paths.length && !settle.abandoned; index++) {
      connection.submit({ type, transactionId, text: `${paths[index]}\0`, value: undefined, sink, index });
    }
  });
}

/** Settles once; the first of a reply and an abort wins. */
function abandonable(
  connection: Connection,
  signal: AbortSignal | undefined,
  reject: (reason: unknown) => void,
) {
  let forget: (() => void) | undefined;
  const state = {
    abandoned: false,
    done(act: () => void): void {
      if (state.abandoned) return;
      state.abandoned = true;
      forget?.();
      act();
    },
  };
  const onAbort = (): void => state.done(() => reject(signal?.reason));
  if (signal?.aborted) onAbort();
  else if (signal) forget = connection.onAbort(signal, onAbort);
  return state;
}

/** A failed connection's error, told for the call that met it. */
function inCall(error: XenstoreError, operation: string, path: string | undefined): XenstoreError {
  return error.in(operation, path);
}
