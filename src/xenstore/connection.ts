/**
 * One connection: requests out in batches, replies matched by request id, watch events to whoever set the watch.
 *
 * Requests are encoded and sent at the end of the current turn of the event loop, so that whatever is asked in
 * one turn travels in one write. At most {@link WINDOW} are unanswered at a time: oxenstored stops reading a
 * client that does not read, and more in flight gains nothing.
 */
import { errnoCode, XenstoreError } from './errors.js';
import type { Transport } from './transport.js';
import {
  Decoder,
  decodeStrings,
  describeType,
  HEADER_BYTES,
  MessageType,
  PAYLOAD_MAX_BYTES,
  writeHeader,
} from './wire.js';

/** Unanswered requests at a time. */
export const WINDOW = 256;

/** Takes the reply of one request; several requests may share one, told apart by `index`. */
export interface ReplySink {
  /** True when nobody waits any more: a request not yet sent is dropped, a reply ignored. */
  readonly abandoned: boolean;
  /** The reply's payload, valid during the call only. */
  reply(payload: Buffer, index: number): void;
  /** The daemon's errno name. */
  errno(name: string, index: number): void;
  /** The connection failed. */
  fail(error: XenstoreError): void;
}

/** One request, before it is encoded. */
export interface Request {
  readonly type: MessageType;
  readonly transactionId: number;
  /** First part of the payload, ASCII. */
  readonly text: string;
  /** Second part of the payload, after `text`. */
  readonly value?: Buffer | undefined;
  readonly sink: ReplySink;
  readonly index: number;
}

/** Multiplexes requests, replies and watch events over a {@link Transport}. */
export class Connection {
  readonly #transport: Transport;
  readonly #decoder = new Decoder();
  readonly #sent = new Map<number, Request>();
  readonly #onEvent: (path: string, token: string) => void;
  readonly #onClosed: (error: XenstoreError) => void;
  #queue: Request[] = [];
  #queueHead = 0;
  #flushing = false;
  #nextId = 1;
  #closed: XenstoreError | undefined;
  readonly #aborts = new WeakMap<AbortSignal, Set<() => void>>();

  constructor(
    transport: Transport,
    events: { onEvent: (path: string, token: string) => void; onClosed: (error: XenstoreError) => void },
  ) {
    this.#transport = transport;
    this.#onEvent = events.onEvent;
    this.#onClosed = events.onClosed;
    transport.start({
      bytes: (chunk) => this.#receive(chunk),
      closed: (cause) => this.#end(connectionLost(cause)),
    });
    transport.keepProcessAlive?.(false);
  }

  /** Why the connection is over; undefined while it is open. */
  get closed(): XenstoreError | undefined {
    return this.#closed;
  }

  /** Requests asked and not answered. */
  get pendingCount(): number {
    return this.#sent.size + this.#queue.length - this.#queueHead;
  }

  /**
   * Calls `act` when `signal` aborts, until the returned function is called. One listener a signal, however many
   * calls share it: Node warns of more than ten.
   */
  onAbort(signal: AbortSignal, act: () => void): () => void {
    let acts = this.#aborts.get(signal);
    if (!acts) {
      const shared = new Set<() => void>();
      acts = shared;
      this.#aborts.set(signal, shared);
      signal.addEventListener('abort', () => {
        for (const each of [...shared]) each();
      });
    }
    const own = acts;
    own.add(act);
    return () => own.delete(act);
  }

  /** Queues a request. Its sink is told the outcome, also when the connection is lost. */
  submit(request: Request): void {
    if (this.#closed) {
      request.sink.fail(this.#closed);
      return;
    }
    if (this.pendingCount === 0) this.#transport.keepProcessAlive?.(true);
    this.#queue.push(request);
    this.#scheduleFlush();
  }

  /** Ends the connection; whatever is pending fails with `connection-lost`. Idempotent. */
  close(): void {
    this.#end(new XenstoreError('connection-lost', 'connection', undefined, 'closed by this program'));
  }

  #scheduleFlush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#closed) return;
    const batch: Request[] = [];
    let bytes = 0;
    while (this.#sent.size + batch.length < WINDOW && this.#queueHead < this.#queue.length) {
      const request = this.#queue[this.#queueHead++]!;
      if (request.sink.abandoned) continue;
      batch.push(request);
      bytes += HEADER_BYTES + request.text.length + (request.value?.length ?? 0);
    }
    if (this.#queueHead === this.#queue.length) {
      this.#queue = [];
      this.#queueHead = 0;
    }
    if (batch.length > 0) this.#transport.send(this.#encode(batch, bytes));
    else if (this.pendingCount === 0) this.#transport.keepProcessAlive?.(false);
  }

  #encode(batch: readonly Request[], bytes: number): Buffer {
    const buffer = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const request of batch) {
      const requestId = this.#takeId();
      const length = request.text.length + (request.value?.length ?? 0);
      writeHeader(
        buffer,
        at,
        { type: request.type, requestId, transactionId: request.transactionId },
        length,
      );
      at += HEADER_BYTES;
      at += buffer.write(request.text, at, 'latin1');
      if (request.value) at += request.value.copy(buffer, at);
      // Registered before it is sent: a reply may be there before send() returns.
      this.#sent.set(requestId, request);
    }
    return buffer;
  }

  #takeId(): number {
    do this.#nextId = this.#nextId === 0xffffffff ? 1 : this.#nextId + 1;
    while (this.#sent.has(this.#nextId));
    return this.#nextId;
  }

  #receive(chunk: Buffer): void {
    if (this.#closed) return;
    try {
      this.#decoder.push(chunk, this.#onMessage);
    } catch (error) {
      // A decoder or an id we never sent: nothing that follows can be trusted.
      this.#end(
        error instanceof XenstoreError
          ? error
          : new XenstoreError('protocol', 'receive', undefined, String((error as Error).message), error),
      );
    }
    if (this.#queueHead < this.#queue.length && this.#sent.size <= WINDOW / 2) this.#scheduleFlush();
    else if (this.pendingCount === 0) this.#transport.keepProcessAlive?.(false);
  }

  readonly #onMessage = (type: number, requestId: number, _transactionId: number, payload: Buffer): void => {
    if (this.#closed) return;
    if (type === MessageType.watchEvent) {
      const [path = '', token = ''] = decodeStrings(payload);
      this.#onEvent(path, token);
      return;
    }
    const sent = this.#sent.get(requestId);
    if (!sent) throw protocolError(`a reply came to request ${requestId}, which was never made`);
    this.#sent.delete(requestId);
    if (sent.sink.abandoned) return;
    if (type === MessageType.error) sent.sink.errno(decodeStrings(payload)[0] ?? '', sent.index);
    else if (type === sent.type) sent.sink.reply(payload, sent.index);
    else {
      const error = protocolError(`${describeType(sent.type)} was answered by ${describeType(type)}`);
      sent.sink.fail(error);
      throw error;
    }
  };

  #end(error: XenstoreError): void {
    if (this.#closed) return;
    this.#closed = error;
    this.#transport.close();
    const waiting = [...this.#sent.values(), ...this.#queue.slice(this.#queueHead)];
    this.#sent.clear();
    this.#queue = [];
    this.#queueHead = 0;
    for (const { sink } of waiting) if (!sink.abandoned) sink.fail(error);
    this.#onClosed(error);
  }
}

function protocolError(detail: string): XenstoreError {
  return new XenstoreError('protocol', 'receive', undefined, detail);
}

function connectionLost(cause: Error | undefined): XenstoreError {
  const detail = `the connection to xenstored was lost${cause ? ` (${cause.message})` : ''}`;
  return new XenstoreError('connection-lost', 'connection', undefined, detail, cause);
}

/** The error for an errno that the daemon answered. */
export function errnoError(name: string, operation: string, path: string | undefined): XenstoreError {
  const code = errnoCode(name);
  const shown = /^[A-Z0-9]{1,20}$/.test(name) ? name : 'an unreadable errno';
  return new XenstoreError(code, operation, path, `xenstored answered ${shown}`);
}

/** Refuses a payload that the daemon would answer by closing the connection. */
export function checkPayload(operation: string, path: string | undefined, bytes: number): void {
  if (bytes > PAYLOAD_MAX_BYTES) {
    const detail = `${bytes} bytes are more than the ${PAYLOAD_MAX_BYTES} that one xenstore message can hold`;
    throw new XenstoreError('too-long', operation, path, detail);
  }
}
