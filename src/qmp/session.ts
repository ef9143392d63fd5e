/**
 * One QMP connection: commands go out, answers are matched by id, events go to whoever expects them.
 *
 * Answers with an id that nobody is waiting for are skipped: they belong to abandoned commands, or to the client before
 * us, whose last command QEMU may finish when we are already connected.
 */
import { QmpError, refusal } from './errors.js';
import type { QmpTransport } from './transport.js';
import {
  encodeCommand,
  type JsonObject,
  type JsonValue,
  LineDecoder,
  protocolError,
  type QemuVersion,
  type QmpAnswer,
  type QmpEvent,
  type QmpMessage,
} from './wire.js';

/** Unanswered commands at a time. QEMU carries them out one after the other: more would gain nothing. */
const WINDOW = 8;

/** Something that is awaited. */
export interface Waiting<T> {
  readonly promise: Promise<T>;
  /** Stops waiting; what comes later is skipped. Idempotent. */
  abandon(): void;
}

/** A command that is awaited. */
export interface WaitingCommand extends Waiting<JsonValue> {
  /** False while it waits for room: if it is abandoned now, QEMU never sees it. */
  readonly sent: boolean;
}

interface Command {
  readonly name: string;
  readonly id: string;
  readonly bytes: Buffer;
  resolve(value: JsonValue): void;
  reject(error: QmpError): void;
}

interface Expected {
  readonly name: string;
  matches(data: JsonObject): boolean;
  resolve(event: QmpEvent): void;
  reject(error: unknown): void;
}

/** Multiplexes commands, answers and events over a {@link QmpTransport}, which it starts. */
export class Session {
  /** Resolves when QEMU greets: from then on it is our turn. */
  readonly greeting: Promise<QemuVersion>;
  readonly #transport: QmpTransport;
  readonly #decoder = new LineDecoder();
  readonly #sent = new Map<string, Command>();
  readonly #queue = new Set<Command>();
  readonly #expected = new Set<Expected>();
  readonly #greeting = withResolvers<QemuVersion>();
  // Different for each client, so that an answer to the previous client is never taken for ours.
  readonly #idPrefix = `pvusb-${Math.random().toString(36).slice(2, 12)}-`;
  #nextId = 1;
  #greeted = false;
  /** True once one of our commands was answered: what follows is for us alone. */
  #heard = false;
  #closed: QmpError | undefined;

  constructor(transport: QmpTransport) {
    this.#transport = transport;
    this.greeting = this.#greeting.promise;
    transport.start({
      bytes: (chunk) => this.#receive(chunk),
      closed: (cause) => this.#end(connectionLost(cause)),
    });
  }

  /** Why the connection has ended; undefined while it is open. */
  get closed(): QmpError | undefined {
    return this.#closed;
  }

  /** True once QEMU has greeted. */
  get greeted(): boolean {
    return this.#greeted;
  }

  /** Commands and events that are awaited; 0 when nothing leaks. */
  get pendingCount(): number {
    return this.#sent.size + this.#queue.size + this.#expected.size;
  }

  /**
   * Sends a command, as soon as there is room.
   *
   * @throws {QmpError} when the connection is over
   * @throws {TypeError} as {@link encodeCommand}
   */
  submit(name: string, args: JsonObject | undefined): WaitingCommand {
    if (this.#closed) throw this.#closed.in(name);
    const id = `${this.#idPrefix}${this.#nextId++}`;
    const { promise, resolve, reject } = withResolvers<JsonValue>();
    const command: Command = { name, id, bytes: encodeCommand(name, args, id), resolve, reject };
    this.#queue.add(command);
    this.#sendQueued();
    const queue = this.#queue;
    return {
      promise,
      get sent() {
        return !queue.has(command);
      },
      abandon: () => {
        this.#queue.delete(command);
        if (this.#sent.delete(id)) this.#sendQueued();
      },
    };
  }

  /** Waits for the first event from now on that matches. */
  expect(name: string, matches: (data: JsonObject) => boolean): Waiting<QmpEvent> {
    const { promise, resolve, reject } = withResolvers<QmpEvent>();
    const expected: Expected = { name, matches, resolve, reject };
    if (this.#closed) reject(this.#closed.in(`event ${name}`));
    else this.#expected.add(expected);
    return {
      promise,
      abandon: () => {
        this.#expected.delete(expected);
        reject(new DOMException('no longer awaited', 'AbortError'));
      },
    };
  }

  /** Ends the connection; whatever is pending fails with `connection-lost`. Idempotent. */
  close(): void {
    this.#end(new QmpError('connection-lost', 'connection', 'closed by this program'));
  }

  #sendQueued(): void {
    for (const command of this.#queue) {
      if (this.#closed || this.#sent.size >= WINDOW) return;
      this.#queue.delete(command);
      // Registered before it is sent: the answer may arrive before send() returns.
      this.#sent.set(command.id, command);
      this.#transport.send(command.bytes);
    }
  }

  #receive(chunk: Buffer): void {
    if (this.#closed) return;
    try {
      this.#decoder.push(chunk, (message) => this.#onMessage(message));
    } catch (error) {
      this.#end(error instanceof QmpError ? error : protocolError(String(error), error));
    }
  }

  #onMessage(message: QmpMessage): void {
    if (this.#closed) return;
    if (message.kind === 'event') this.#onEvent(message.event);
    else if (message.kind === 'greeting') this.#onGreeting(message.version);
    else this.#onAnswer(message);
  }

  #onGreeting(version: QemuVersion): void {
    if (this.#greeted) throw protocolError('QEMU greets a second time');
    this.#greeted = true;
    this.#greeting.resolve(version);
  }

  #onAnswer(message: QmpAnswer): void {
    const { id } = message;
    if (id === undefined && message.kind === 'error' && this.#heard) {
      const { desc } = refusal('receive', message.class, message.desc);
      throw protocolError(`QEMU cannot read what it was sent: ${desc}`);
    }
    const command = typeof id === 'string' ? this.#sent.get(id) : undefined;
    if (!command) return;
    this.#heard = true;
    this.#sent.delete(command.id);
    if (message.kind === 'return') command.resolve(message.value);
    else command.reject(refusal(command.name, message.class, message.desc));
    this.#sendQueued();
  }

  #onEvent(event: QmpEvent): void {
    for (const expected of this.#expected) {
      if (expected.name !== event.name) continue;
      try {
        if (!expected.matches(event.data)) continue;
        expected.resolve(event);
      } catch (error) {
        // The caller's own fault: only the caller is told.
        expected.reject(error);
      }
      this.#expected.delete(expected);
    }
  }

  #end(error: QmpError): void {
    if (this.#closed) return;
    this.#closed = error;
    this.#transport.close();
    this.#greeting.reject(error.in('connect'));
    for (const command of [...this.#sent.values(), ...this.#queue]) command.reject(error.in(command.name));
    for (const expected of this.#expected) expected.reject(error.in(`event ${expected.name}`));
    this.#sent.clear();
    this.#queue.clear();
    this.#expected.clear();
  }
}

interface Resolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** A promise that counts as handled: abandoning the wait does not crash the process. */
function withResolvers<T>(): Resolvers<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

function connectionLost(cause: Error | undefined): QmpError {
  const detail = `QEMU closed the connection or died${cause ? ` (${cause.message})` : ''}`;
  return new QmpError('connection-lost', 'connection', detail, { cause });
}
