/** A bare xenstore client for tests: it sends what it is told to, right or wrong, and keeps everything that comes back. */

import { createConnection } from 'node:net';
import type { Transport, TransportEvents } from '../../src/xenstore/transport.js';
import { Decoder, encodeMessage, type Message, MessageType } from '../../src/xenstore/wire.js';
import { HANG_MS, unlessHung } from '../support/hang.js';

/** The daemon ended the connection. */
export class ConnectionClosed extends Error {
  override readonly name = 'ConnectionClosed';
}

/** The daemon did not answer. */
class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

interface Waiter {
  readonly resolve: (message: Message) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** A connection that speaks plain messages. */
export class Raw {
  /** Everything received, in order: replies, errors and events. Empty it at will. */
  received: Message[] = [];
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;
  /** True from then on. */
  isClosed = false;
  readonly #transport: Transport;
  readonly #decoder = new Decoder();
  readonly #waiting = new Map<number, Waiter>();
  #events: Message[] = [];
  #eventWaiters: Waiter[] = [];
  #lastRequestId = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.closed = new Promise((resolve) => {
      transport.start({
        bytes: (chunk) => this.#decoder.push(chunk, (...message) => this.#take(...message)),
        closed: () => {
          this.isClosed = true;
          for (const waiter of [...this.#waiting.values(), ...this.#eventWaiters]) {
            clearTimeout(waiter.timer);
            waiter.reject(new ConnectionClosed('the daemon closed the connection'));
          }
          this.#waiting.clear();
          this.#eventWaiters = [];
          resolve();
        },
      });
    });
  }

  /** Sends one request and waits for the reply that has its id. */
  call(type: number, payload: Buffer | string, transactionId = 0): Promise<Message> {
    const bytes = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
    return this.callAll([{ type, payload: bytes }], transactionId)[0]!;
  }

  /** Sends many requests in one piece; a promise for each reply, in the order of the requests. */
  callAll(requests: readonly Pick<Message, 'type' | 'payload'>[], transactionId = 0): Promise<Message>[] {
    if (this.isClosed) {
      return requests.map(() => Promise.reject(new ConnectionClosed('the connection is closed')));
    }
    const messages = requests.map((request) => ({
      ...request,
      requestId: ++this.#lastRequestId,
      transactionId,
    }));
    const replies = messages.map(({ requestId }) => {
      return this.#wait((waiter) => this.#waiting.set(requestId, waiter));
    });
    this.#transport.send(Buffer.concat(messages.map(encodeMessage)));
    return replies;
  }

  /** Sends bytes as they are, waiting for nothing. */
  sendBytes(bytes: Buffer): void {
    this.#transport.send(bytes);
  }

  /** The next watch event, waiting for it when there is none yet. */
  async nextEvent(): Promise<Message> {
    const event = this.#events.shift();
    return event ?? (await this.#wait((waiter) => this.#eventWaiters.push(waiter)));
  }

  /**
   * The events so far. A round trip comes first: the daemons answer in order, so that every event of a change
   * that is already acknowledged, to whichever connection, has arrived with its reply.
   */
  async takeEvents(): Promise<Message[]> {
    await this.call(MessageType.getDomainPath, '0\0');
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Waits for the daemon to end the connection. */
  async untilClosed(): Promise<void> {
    await unlessHung('the closing of the connection', this.closed);
  }

  /** Ends the connection. */
  close(): void {
    this.#transport.close();
  }

  #wait(enlist: (waiter: Waiter) => void): Promise<Message> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new NoAnswer('nothing came'));
      enlist({ resolve, reject, timer: setTimeout(late, HANG_MS) });
    });
  }

  #take(type: number, requestId: number, transactionId: number, untrustedPayload: Buffer): void {
    const message = { type, requestId, transactionId, payload: Buffer.from(untrustedPayload) };
    this.received.push(message);
    const isEvent = type === MessageType.watchEvent;
    const waiter = isEvent ? this.#eventWaiters.shift() : this.#waiting.get(requestId);
    if (!isEvent) this.#waiting.delete(requestId);
    if (waiter) {
      clearTimeout(waiter.timer);
      waiter.resolve(message);
    } else if (isEvent) {
      this.#events.push(message);
    }
  }
}

/** Connects to a daemon's Unix socket; rejects when nothing listens there. */
export function connectRaw(socketPath: string): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath);
    let events: TransportEvents | undefined;
    let cause: Error | undefined;
    socket.on('data', (chunk) => events?.bytes(chunk));
    socket.on('error', (error) => {
      cause = error;
      reject(error);
    });
    socket.on('close', () => events?.closed(cause));
    const transport: Transport = {
      start: (given) => {
        events = given;
      },
      send: (messages) => {
        socket.write(messages);
      },
      close: () => {
        socket.destroy();
      },
    };
    socket.on('connect', () => {
      // A waiting call keeps the process alive with its timer; an idle connection must not.
      socket.unref();
      resolve(new Raw(transport));
    });
  });
}
