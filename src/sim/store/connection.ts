/** One client's byte stream to the simulated daemon, with faults on demand. */
import type { Transport, TransportEvents } from '../../xenstore/transport.js';
import { Decoder, HEADER_BYTES, MessageType, PAYLOAD_MAX_BYTES, writeHeader } from '../../xenstore/wire.js';
import { Client, type ClientEvents } from './client.js';
import type { Daemon } from './daemon.js';
import { StoreError } from './errors.js';
import { carryOut, pathOf } from './requests.js';

/** A request on its way into the simulated daemon. */
export interface StoreRequest {
  /** A number of `MessageType`, or an unknown one. */
  readonly type: number;
  /** Who sent it. */
  readonly domid: number;
  /** As it was sent; undefined for requests without one. */
  readonly path: string | undefined;
  /** 0 outside transactions. */
  readonly transactionId: number;
}

/**
 * What becomes of a request:
 * - `pass`: it is carried out and answered
 * - `drop-connection`: the connection ends before it is carried out
 * - `drop-after`: it is carried out, then the connection ends without its reply and its events
 * - `error`: it is not carried out; the answer is this errno name
 * - `hold`: it is neither carried out nor answered until the store's `releaseHeld()`; later ones overtake it
 */
export type StoreFate = 'pass' | 'drop-connection' | 'drop-after' | { readonly error: string } | 'hold';

/** What connections need from the store they belong to. */
export interface ConnectionHooks {
  /** Decides on each request; undefined when nobody intercepts. */
  readonly judge: () => ((request: StoreRequest) => StoreFate) | undefined;
  /** Keeps a request for later. */
  readonly hold: (resume: () => void) => void;
  /** Called once when the connection has ended. */
  readonly ended: (connection: Connection) => void;
}

/** A connection to the simulated daemon, as its client holds it. */
export class Connection implements Transport {
  readonly #daemon: Daemon;
  readonly #client: Client;
  readonly #hooks: ConnectionHooks;
  /** A longer payload ends the connection, as in the daemon. */
  readonly #decoder = new Decoder(PAYLOAD_MAX_BYTES);
  #events: TransportEvents | undefined;
  #outgoing: Buffer[] = [];
  #scheduled = false;
  #end: { readonly cause?: Error } | undefined;
  #reported = false;

  constructor(daemon: Daemon, domid: number, hooks: ConnectionHooks) {
    this.#daemon = daemon;
    this.#hooks = hooks;
    const events: ClientEvents = {
      notify: (path, token) => this.#queue(MessageType.watchEvent, 0, 0, `${path}\0${token}\0`),
      released: () => this.#finish({ cause: new Error('the domain was released') }),
    };
    this.#client = new Client(daemon, domid, events);
  }

  start(events: TransportEvents): void {
    this.#events = events;
    this.#schedule();
  }

  send(messages: Buffer): void {
    if (this.#end !== undefined) return;
    try {
      this.#decoder.push(messages, (type, requestId, transactionId, payload) => {
        this.#receive(type, requestId, transactionId, payload);
      });
    } catch (error) {
      // The decoder's refusal ends the connection; anything else is a bug of ours, shown the same way.
      this.#finish({ cause: error instanceof Error ? error : new Error(String(error)) });
    }
  }

  close(): void {
    this.#finish({});
    this.#outgoing = [];
  }

  #receive(type: number, requestId: number, transactionId: number, payload: Buffer): void {
    if (this.#end !== undefined) return;
    const judge = this.#hooks.judge();
    const { domid } = this.#client.actor;
    const fate = judge?.({ type, domid, path: pathOf(type, payload), transactionId }) ?? 'pass';
    const text = payload.toString('latin1');
    if (fate === 'pass') {
      this.#answer(type, requestId, transactionId, text);
    } else if (fate === 'drop-connection') {
      this.#drop();
    } else if (fate === 'drop-after') {
      const kept = this.#outgoing.length;
      this.#answer(type, requestId, transactionId, text);
      this.#outgoing.length = kept;
      this.#drop();
    } else if (fate === 'hold') {
      this.#hooks.hold(() => this.#answer(type, requestId, transactionId, text));
    } else {
      this.#queue(MessageType.error, requestId, transactionId, `${fate.error}\0`);
    }
  }

  #answer(type: number, requestId: number, transactionId: number, payload: string): void {
    if (this.#end !== undefined) return;
    try {
      const reply = carryOut(this.#daemon, this.#client, type, transactionId, payload);
      this.#queue(type, requestId, transactionId, reply.payload);
      reply.afterwards?.();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#queue(MessageType.error, requestId, transactionId, `${error.code}\0`);
    }
  }

  #queue(type: number, requestId: number, transactionId: number, payload: string): void {
    if (this.#end !== undefined) return;
    const message = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
    writeHeader(message, 0, { type, requestId, transactionId }, payload.length);
    message.write(payload, HEADER_BYTES, 'latin1');
    this.#outgoing.push(message);
    this.#schedule();
  }

  #drop(): void {
    this.#finish({ cause: new Error('the simulated daemon dropped the connection') });
  }

  /** What was queued before is still delivered, as a socket would. */
  #finish(end: { readonly cause?: Error }): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#client.leave();
    this.#hooks.ended(this);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    const events = this.#events;
    if (events === undefined || this.#reported) return;
    const [first, ...rest] = this.#outgoing;
    this.#outgoing = [];
    if (first !== undefined) events.bytes(rest.length === 0 ? first : Buffer.concat([first, ...rest]));
    // Checked again, because bytes() may have closed the connection.
    if (this.#end !== undefined && !this.#reported) {
      this.#reported = true;
      events.closed(this.#end.cause);
    }
  }
}
