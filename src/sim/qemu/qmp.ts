/** QEMU's QMP server: one client at a time, JSON in both directions (`monitor/qmp.c` of QEMU 7.2). */
import { StringDecoder } from 'node:string_decoder';
import type { Transport, TransportEvents } from '../../xenstore/transport.js';
import { JsonSplitter } from './json-splitter.js';
import { type Fields, QmpError } from './machine.js';

/** A command as it came in. */
export interface QmpCommand {
  readonly execute: string;
  readonly arguments: Fields;
}

/**
 * What becomes of a command:
 * - `pass`: it is carried out and answered
 * - `hang`: neither happens, and nothing more on this connection
 * - `act-but-hang`: it is carried out and not answered, and nothing more on this connection
 * - `error`: it is not carried out; this is answered
 * - `drop`: the connection ends before it is carried out
 * - `act-but-drop`: it is carried out, then the connection ends without an answer
 * - `die`: QEMU is killed before it is carried out
 */
export type QmpFate =
  | 'pass'
  | 'hang'
  | 'act-but-hang'
  | 'drop'
  | 'act-but-drop'
  | 'die'
  | { readonly error: string; readonly class?: string };

/** What the server needs of its QEMU. */
interface QmpHooks {
  /** Carries a command out; rejects with a {@link QmpError}. */
  run(command: QmpCommand): Promise<unknown>;
  /** Queues a piece of work after this QEMU's others. */
  enqueue(piece: () => Promise<void>): void;
  decide(command: QmpCommand): QmpFate;
  die(): Promise<void>;
  /** What it says it is. */
  version(): QemuVersion;
}

/** A QEMU's version, as its greeting has it. */
export interface QemuVersion {
  readonly qemu: { readonly major: number; readonly minor: number; readonly micro: number };
  readonly package: string;
}

/** The version on the recorded host. */
export const QEMU_VERSION: QemuVersion = {
  qemu: { micro: 22, minor: 2, major: 7 },
  package: 'Debian 1:7.2+dfsg-7+deb12u18+b3',
};

/** The server of one QEMU. */
export class QmpServer {
  readonly #hooks: QmpHooks;
  #active: Client | undefined;
  #waiting: Client[] = [];
  #open = true;

  constructor(hooks: QmpHooks) {
    this.#hooks = hooks;
  }

  /** A new connection; it is greeted when all before it are gone. A dead QEMU refuses it. */
  connect(): Transport {
    return new Client(this.#hooks, {
      started: (client) => this.#started(client),
      ended: (client) => this.#ended(client),
    });
  }

  /** Sends an event to the client that is being served. */
  event(event: string, data: Fields): void {
    const now = Date.now();
    const timestamp = { seconds: Math.floor(now / 1000), microseconds: (now % 1000) * 1000 };
    this.#active?.event({ timestamp, event, data });
  }

  /** Ends all connections and refuses new ones. */
  shut(): void {
    this.#open = false;
    for (const client of [...this.#waiting, ...(this.#active ? [this.#active] : [])]) client.hangUp();
  }

  #started(client: Client): void {
    if (!this.#open) {
      client.hangUp(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
      return;
    }
    this.#waiting.push(client);
    this.#serveNext();
  }

  #ended(client: Client): void {
    this.#waiting = this.#waiting.filter((other) => other !== client);
    if (this.#active !== client) return;
    this.#active = undefined;
    this.#serveNext();
  }

  #serveNext(): void {
    if (this.#active || !this.#open) return;
    this.#active = this.#waiting.shift();
    this.#active?.serve();
  }
}

interface ClientHooks {
  started(client: Client): void;
  ended(client: Client): void;
}

class Client implements Transport {
  readonly #qemu: QmpHooks;
  readonly #server: ClientHooks;
  readonly #decoder = new StringDecoder('utf8');
  readonly #splitter = new JsonSplitter();
  #events: TransportEvents | undefined;
  #state: 'waiting' | 'greeted' | 'ready' | 'hung' | 'closed' = 'waiting';
  #early: string[] = [];

  constructor(qemu: QmpHooks, server: ClientHooks) {
    this.#qemu = qemu;
    this.#server = server;
  }

  start(events: TransportEvents): void {
    this.#events = events;
    // As over a socket: nothing happens before the caller's turn ends.
    queueMicrotask(() => {
      if (this.#state !== 'closed') this.#server.started(this);
    });
  }

  send(bytes: Buffer): void {
    if (this.#state === 'closed') return;
    const commands = this.#splitter.push(this.#decoder.write(bytes));
    if (this.#state === 'waiting') this.#early.push(...commands);
    else for (const command of commands) this.#take(command);
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#server.ended(this);
  }

  /** QEMU's end of the connection ends. */
  hangUp(cause?: Error): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const events = this.#events;
    queueMicrotask(() => events?.closed(cause));
    this.#server.ended(this);
  }

  /** It is this client's turn. */
  serve(): void {
    this.#state = 'greeted';
    this.#write({ QMP: { version: this.#qemu.version(), capabilities: ['oob'] } });
    for (const command of this.#early.splice(0)) this.#take(command);
  }

  /** An event; a client that has not negotiated yet does not get it. */
  event(message: Fields): void {
    if (this.#state === 'ready') this.#write(message);
  }

  #take(text: string): void {
    this.#qemu.enqueue(async () => {
      if (this.#state !== 'greeted' && this.#state !== 'ready') return;
      await this.#answer(text);
    });
  }

  async #answer(text: string): Promise<void> {
    let id: unknown;
    try {
      const message = parse(text);
      id = message.id;
      const command = commandOf(message);
      if (!this.#negotiated(command)) return this.#reply(id, { return: {} });
      const fate = this.#qemu.decide(command);
      if (fate === 'drop') return this.hangUp();
      if (fate === 'die') return await this.#qemu.die();
      if (fate === 'hang') this.#state = 'hung';
      if (fate === 'hang') return;
      if (typeof fate === 'object') throw new QmpError(fate.error, fate.class);
      if (fate === 'act-but-hang') this.#state = 'hung';
      const result = await this.#qemu.run(command).catch((error: unknown) => {
        if (fate !== 'pass' && error instanceof QmpError) return undefined;
        throw error;
      });
      if (fate === 'act-but-drop') return this.hangUp();
      if (fate === 'pass') this.#reply(id, { return: result ?? {} });
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
      this.#reply(id, { error: { class: error.errorClass, desc: error.message } });
    }
  }

  /** True when the command is to be carried out; false when it was the negotiation itself. */
  #negotiated({ execute }: QmpCommand): boolean {
    const negotiates = execute === 'qmp_capabilities';
    if (this.#state === 'ready' && negotiates) {
      throw new QmpError('Capabilities negotiation is already complete, command ignored', 'CommandNotFound');
    }
    if (this.#state === 'greeted' && !negotiates) {
      throw new QmpError(`Expecting capabilities negotiation with 'qmp_capabilities'`, 'CommandNotFound');
    }
    this.#state = 'ready';
    return !negotiates;
  }

  #reply(id: unknown, answer: Fields): void {
    this.#write(id === undefined ? answer : { ...answer, id });
  }

  #write(message: Fields): void {
    if (this.#state === 'closed') return;
    const bytes = Buffer.from(`${JSON.stringify(message)}\r\n`);
    const events = this.#events;
    queueMicrotask(() => events?.bytes(bytes));
  }
}

function parse(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const word = /^[a-z]+/.exec(text)?.[0];
    throw new QmpError(`JSON parse error, ${word ? `invalid keyword '${word}'` : 'expecting value'}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new QmpError('QMP input must be a JSON object');
  }
  return value as Fields;
}

function commandOf({ execute, arguments: given = {}, ...rest }: Fields): QmpCommand {
  if (execute === undefined) throw new QmpError(`QMP input lacks member 'execute'`);
  if (typeof execute !== 'string') throw new QmpError(`QMP input member 'execute' must be a string`);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new QmpError(`QMP input member 'arguments' must be an object`);
  }
  const odd = Object.keys(rest).find((key) => key !== 'id');
  if (odd !== undefined) throw new QmpError(`QMP input member '${odd}' is unexpected`);
  return { execute, arguments: given as Fields };
}
