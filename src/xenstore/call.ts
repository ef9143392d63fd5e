/** Turns requests into promises: one request, or many reads that share one promise. */
import { type Connection, checkPayload, errnoError, type Request } from './connection.js';
import type { XenstoreError } from './errors.js';
import { describeType, type MessageType } from './wire.js';

/** Options of every call. */
export interface CallOptions {
  /** Abandons the call: it rejects at once with the signal's reason. What was sent may still be carried out. */
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

/** What a call for many nodes asks. */
interface AskMany {
  readonly type: MessageType;
  readonly transactionId: number;
  readonly paths: readonly string[];
}

/** Makes one request; the promise gives a copy of the reply's payload. Rejects with {@link XenstoreError}. */
export function call(connection: Connection, ask: Ask, options?: CallOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    new Single<Buffer>(ask, { resolve, reject, decode: copyBytes, missing: undefined }).start(
      connection,
      options,
    );
  });
}

/** Makes one request for a node: `decode` sees the payload during the reply only; a missing node is undefined. */
export function callForNode<T>(
  connection: Connection,
  ask: Ask,
  decode: (payload: Buffer) => T,
  options?: CallOptions,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const missing = (): void => resolve(undefined);
    new Single<T>(ask, { resolve, reject, decode, missing }).start(connection, options);
  });
}

/** A copy of the payload, to be kept. */
export function copyBytes(payload: Buffer): Buffer {
  return Buffer.from(payload);
}

/** Where the outcome of a call goes. */
interface Settling<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
  readonly decode: (payload: Buffer) => T;
  /** ENOENT; an error when absent. */
  readonly missing: (() => void) | undefined;
}

/** A call settles once; the first of an outcome and an abort wins. */
interface Abandonable {
  abandoned: boolean;
  /** Stops listening for an abort. */
  forget: (() => void) | undefined;
}

/** Abandons a call when the signal aborts, at once if it already has. */
function listen(
  call: Abandonable,
  connection: Connection,
  signal: AbortSignal | undefined,
  reject: (reason: unknown) => void,
): void {
  if (!signal) return;
  const onAbort = (): void => {
    settle(call);
    reject(signal.reason);
  };
  if (signal.aborted) onAbort();
  else call.forget = connection.onAbort(signal, onAbort);
}

/** The outcome is known: nothing that comes later counts. */
function settle(call: Abandonable): void {
  call.abandoned = true;
  call.forget?.();
}

/** One request. */
class Single<T> implements Request, Abandonable {
  abandoned = false;
  forget: (() => void) | undefined;
  readonly type: MessageType;
  readonly transactionId: number;
  readonly count = 1;
  readonly value: Buffer | undefined;
  readonly #text: string;
  readonly #path: string | undefined;
  readonly #settling: Settling<T>;

  constructor(ask: Ask, settling: Settling<T>) {
    this.type = ask.type;
    this.transactionId = ask.transactionId ?? 0;
    this.value = ask.value;
    this.#text = ask.text;
    this.#path = ask.path;
    this.#settling = settling;
  }

  start(connection: Connection, options: CallOptions | undefined): void {
    checkPayload(describeType(this.type), this.#path, this.#text.length + (this.value?.length ?? 0));
    listen(this, connection, options?.signal, this.#settling.reject);
    if (!this.abandoned) connection.submit(this);
  }

  textAt(): string {
    return this.#text;
  }

  reply(payload: Buffer): void {
    settle(this);
    this.#settling.resolve(this.#settling.decode(payload));
  }

  errno(name: string): void {
    settle(this);
    const { missing, reject } = this.#settling;
    if (missing && name === 'ENOENT') missing();
    else reject(errnoError(name, describeType(this.type), this.#path));
  }

  fail(error: XenstoreError): void {
    settle(this);
    this.#settling.reject(error.in(describeType(this.type), this.#path));
  }
}

/**
 * Makes many requests of one type that share one promise: cheaper than a promise each. `decode` sees each
 * payload during the reply only. A missing node (ENOENT) gives undefined in its place; any other error rejects.
 */
export function callMany<T>(
  connection: Connection,
  ask: AskMany,
  decode: (payload: Buffer) => T,
  options?: CallOptions,
): Promise<(T | undefined)[]> {
  if (ask.paths.length === 0) return Promise.resolve([]);
  return new Promise((resolve, reject) => {
    new Batch<T>(ask, { resolve, reject, decode }).start(connection, options);
  });
}

interface SettlingMany<T> {
  readonly resolve: (values: (T | undefined)[]) => void;
  readonly reject: (reason: unknown) => void;
  readonly decode: (payload: Buffer) => T;
}

/** Many requests with one outcome. */
class Batch<T> implements Request, Abandonable {
  abandoned = false;
  forget: (() => void) | undefined;
  readonly type: MessageType;
  readonly transactionId: number;
  readonly count: number;
  readonly value: undefined;
  readonly #paths: readonly string[];
  readonly #settling: SettlingMany<T>;
  readonly #results: (T | undefined)[];
  #left: number;

  constructor(ask: AskMany, settling: SettlingMany<T>) {
    this.type = ask.type;
    this.transactionId = ask.transactionId;
    this.count = ask.paths.length;
    this.#paths = ask.paths;
    this.#settling = settling;
    this.#left = ask.paths.length;
    this.#results = new Array<T | undefined>(this.#left).fill(undefined);
  }

  start(connection: Connection, options: CallOptions | undefined): void {
    listen(this, connection, options?.signal, this.#settling.reject);
    if (!this.abandoned) connection.submit(this);
  }

  textAt(index: number): string {
    return `${this.#paths[index]}\0`;
  }

  reply(payload: Buffer, index: number): void {
    this.#results[index] = this.#settling.decode(payload);
    this.#arrived();
  }

  errno(name: string, index: number): void {
    if (name === 'ENOENT') {
      this.#arrived();
      return;
    }
    settle(this);
    this.#settling.reject(errnoError(name, describeType(this.type), this.#paths[index]));
  }

  fail(error: XenstoreError): void {
    settle(this);
    this.#settling.reject(error.in(describeType(this.type), undefined));
  }

  #arrived(): void {
    if (--this.#left > 0) return;
    settle(this);
    this.#settling.resolve(this.#results);
  }
}
