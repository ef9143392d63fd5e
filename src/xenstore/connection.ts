/**
 * One connection: requests go out in batches, replies are matched by request id, watch events go to whoever set the
 * watch.
 *
 * Requests are encoded and sent at the end of the current turn of the event loop, so that whatever is asked in one turn
 * goes out in one write. At most {@link WINDOW} are unanswered at a time: oxenstored stops reading a client that does
 * not read, and more in flight gains nothing.
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

/** One request, or many that differ in their text and have one outcome. Encoded when there is room to send it. */
export interface Request {
  readonly type: MessageType;
  readonly transactionId: number;
  /** How many requests; each is identified by its index. */
  readonly count: number;
  /** First part of the payload, ASCII. */
  textAt(index: number): string;
  /** Second part of the payload, after the text. */
  readonly value: Buffer | undefined;
  /** True when nobody is waiting any more: what is not yet sent is dropped, a reply is ignored. */
  readonly abandoned: boolean;
  /** The reply's payload, valid during the call only. */
  reply(payload: Buffer, index: number): void;
  /** The daemon's errno name. */
  errno(name: string, index: number): void;
  /** The connection failed. */
  fail(error: XenstoreError): void;
}

/** A request on its way. */
interface Sent {
  readonly request: Request;
  readonly index: number;
  readonly text: string;
}

/** Multiplexes requests, replies and watch events over a {@link Transport}. */
export class Connection {
  readonly #transport: Transport;
  readonly #decoder = new Decoder();
  readonly #sent = new Map<number, Sent>();
  readonly #onEvent: (path: string, token: string) => void;
  readonly #onClosed: (error: XenstoreError) => void;
  #queue: Request[] = [];
  #queueHead = 0;
  /** For the first in the queue: how many have been sent. */
  #headIndex = 0;
  #queuedCount = 0;
  #flushing = false;
  #nextId = 1;
  #closed: XenstoreError | undefined;
  #awaitsEvents = false;
  #keeps: boolean | undefined;
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
    this.#keepProcessAlive();
  }

  /** Why the connection has ended; undefined while it is open. */
  get closed(): XenstoreError | undefined {
    return this.#closed;
  }

  /** Requests made and not answered. */
  get pendingCount(): number {
    return this.#sent.size + this.#queuedCount;
  }

  /**
   * Calls `act` when `signal` aborts, until the returned function is called. One listener per signal, however many
   * calls share it: Node warns about more than ten.
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

  /** Queues a request. It is told the outcome, even if the connection is lost. */
  submit(request: Request): void {
    if (this.#closed) {
      request.fail(this.#closed);
      return;
    }
    this.#queue.push(request);
    this.#queuedCount += request.count;
    if (this.pendingCount === request.count) this.#keepProcessAlive();
    this.#scheduleFlush();
  }

  /** Ends the connection; whatever is pending fails with `connection-lost`. Idempotent. */
  close(): void {
    this.#end(new XenstoreError('connection-lost', 'connection', undefined, 'closed by this program'));
  }

  /**
   * Says whether watch events are awaited. While they are, or a request is unanswered, the connection keeps the process
   * alive: awaiting a watch is waiting for something outside. An idle connection does not.
   */
  awaitEvents(awaits: boolean): void {
    this.#awaitsEvents = awaits;
    this.#keepProcessAlive();
  }

  #keepProcessAlive(): void {
    const keep = this.#awaitsEvents || this.pendingCount > 0;
    if (keep === this.#keeps) return;
    this.#keeps = keep;
    this.#transport.keepProcessAlive?.(keep);
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
    const batch: Sent[] = [];
    let bytes = 0;
    while (this.#sent.size + batch.length < WINDOW) {
      const next = this.#takeQueued();
      if (!next) break;
      batch.push(next);
      bytes += HEADER_BYTES + next.text.length + (next.request.value?.length ?? 0);
    }
    if (batch.length > 0) this.#transport.send(this.#encode(batch, bytes));
    else this.#keepProcessAlive();
  }

  /** The next to send; whatever was abandoned is skipped. */
  #takeQueued(): Sent | undefined {
    for (;;) {
      const request = this.#queue[this.#queueHead];
      if (!request) {
        this.#queue = [];
        this.#queueHead = 0;
        return undefined;
      }
      if (this.#headIndex < request.count && !request.abandoned) {
        const index = this.#headIndex++;
        this.#queuedCount--;
        return { request, index, text: request.textAt(index) };
      }
      this.#queuedCount -= request.count - this.#headIndex;
      this.#queueHead++;
      this.#headIndex = 0;
    }
  }

  #encode(batch: readonly Sent[], bytes: number): Buffer {
    const buffer = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const sent of batch) {
      const { request, text } = sent;
      const { type, transactionId, value } = request;
      const requestId = this.#takeId();
      writeHeader(buffer, at, { type, requestId, transactionId }, text.length + (value?.length ?? 0));
      at += HEADER_BYTES;
      at += buffer.write(text, at, 'latin1');
      if (value) at += value.copy(buffer, at);
      // Registered before it is sent: a reply may arrive before send() returns.
      this.#sent.set(requestId, sent);
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
    if (this.#queuedCount > 0 && this.#sent.size <= WINDOW / 2) this.#scheduleFlush();
    else this.#keepProcessAlive();
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
    const { request, index } = sent;
    if (request.abandoned) return;
    if (type === MessageType.error) request.errno(decodeStrings(payload)[0] ?? '', index);
    else if (type === request.type) request.reply(payload, index);
    else {
      const error = protocolError(`${describeType(request.type)} was answered by ${describeType(type)}`);
      request.fail(error);
      throw error;
    }
  };

  #end(error: XenstoreError): void {
    if (this.#closed) return;
    this.#closed = error;
    this.#transport.close();
    const sent = [...this.#sent.values()].map(({ request }) => request);
    const waiting = [...sent, ...this.#queue.slice(this.#queueHead)];
    this.#sent.clear();
    this.#queue = [];
    this.#queueHead = 0;
    this.#headIndex = 0;
    this.#queuedCount = 0;
    // One with many requests occurs many times; after the first it has failed, and so is abandoned.
    for (const request of waiting) if (!request.abandoned) request.fail(error);
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
