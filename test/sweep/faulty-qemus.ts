/** The monitors of a host's QEMUs, where calls go wrong. */
import type { Clock } from '../../src/async/index.js';
import type { Host, Qemu } from '../../src/pvusb/index.js';
import { QmpClient, QmpError, type QmpTransport } from '../../src/qmp/index.js';
import type { QmpFate, SimHost } from '../../src/sim/index.js';
import { never, type Trouble } from './trouble.js';

type Open = NonNullable<Host['qemu']>;
type Execute = Qemu['execute'];

/** Commands that change something. */
const CHANGING = new Set(['device_add', 'device_del']);

/** A program's view of the QEMUs of a simulated host. Every open and every command is a call. */
export class FaultyQemus {
  readonly open: Open = (domid, call) => this.#open(domid, call);
  readonly #sim: SimHost;
  readonly #clock: Clock;
  readonly #trouble: Trouble;
  readonly #connections = new Set<QmpTransport>();
  /** Connections of other programs, which keep a monitor busy. */
  readonly #occupants = new Set<QmpTransport>();
  #missing: string | undefined;

  constructor(sim: SimHost, clock: Clock, trouble: Trouble) {
    this.#sim = sim;
    this.#clock = clock;
    this.#trouble = trouble;
    trouble.onDeath(() => {
      for (const connection of this.#connections) connection.close();
    });
  }

  /** Connections that the program has not closed. */
  get openCount(): number {
    return this.#connections.size;
  }

  /** Ends what other programs do, and what was done to QEMUs because of the program. */
  close(): void {
    for (const occupant of this.#occupants) occupant.close();
    this.#occupants.clear();
    for (const connection of this.#connections) connection.close();
    for (const qemu of this.#sim.qemus.values()) {
      qemu.intercept = undefined;
    }
  }

  async #open(domid: number, call: Parameters<Open>[1]): Promise<Qemu> {
    if (this.#trouble.dead) return never();
    const fault = this.#trouble.note('qemu', `open ${domid}`, false);
    const act = () => this.#connect(domid, call);
    if (!fault) return act();
    switch (fault.kind) {
      case 'refuse':
        this.#missing = fault.errno;
        return act();
      case 'errno':
        throw unreachable(domid, fault.errno);
      case 'busy': {
        const leave = this.#occupy(domid);
        return fault.lasting ? act() : act().finally(leave);
      }
      case 'hang': {
        const leave = this.#occupy(domid);
        void this.#trouble.hang();
        return act().finally(leave);
      }
      case 'monitor':
        // A QEMU dies at the moment when it is called.
        await this.#sim.qemus.get(domid)?.kill();
        return act();
      default:
        return this.#trouble.strike(fault, act);
    }
  }

  async #connect(domid: number, call: Parameters<Open>[1]): Promise<Qemu> {
    const qemu = this.#sim.qemus.get(domid);
    if (this.#missing !== undefined || !qemu) throw unreachable(domid, this.#missing ?? 'ENOENT');
    if (!qemu.alive) throw unreachable(domid, 'ECONNREFUSED');
    const client = await QmpClient.open(this.#wire(qemu.connectQmp()), { ...call, clock: this.#clock });
    return {
      execute: (command, args, options) => this.#execute(domid, client, [command, args, options]),
      expectEvent: (name, matches, options) => client.expectEvent(name, matches, options),
      close: () => client.close(),
    };
  }

  async #execute(domid: number, client: QmpClient, call: Parameters<Execute>): ReturnType<Execute> {
    if (this.#trouble.dead) return never();
    const [command, args = {}] = call;
    const name = `${command} ${args.id ?? args.property ?? ''}`.trim();
    const fault = this.#trouble.note('qemu', name, CHANGING.has(command));
    const act = () => client.execute(...call);
    if (!fault) return act();
    switch (fault.kind) {
      case 'monitor':
        this.#next(domid, fault.fate === 'error' ? { error: 'something is wrong' } : fault.fate);
        return act();
      case 'hang':
        this.#next(domid, 'hang');
        void this.#trouble.hang();
        return act();
      default:
        return this.#trouble.strike(fault, act);
    }
  }

  /** What becomes of the next command. */
  #next(domid: number, fate: QmpFate): void {
    const qemu = this.#sim.qemus.get(domid);
    if (!qemu) return;
    qemu.intercept = () => {
      qemu.intercept = undefined;
      return fate;
    };
  }

  /** Another program comes first and stays until the returned function is called. */
  #occupy(domid: number): () => void {
    const qemu = this.#sim.qemus.get(domid);
    if (!qemu?.alive) return () => undefined;
    const occupant = qemu.connectQmp();
    occupant.start({ bytes: () => undefined, closed: () => undefined });
    this.#occupants.add(occupant);
    return () => occupant.close();
  }

  /** A killed process sends nothing and receives nothing. */
  #wire(inner: QmpTransport): QmpTransport {
    const trouble = this.#trouble;
    return {
      start: (events) => {
        this.#connections.add(inner);
        inner.start({
          bytes: (chunk) => {
            trouble.stir();
            if (!trouble.dead) events.bytes(chunk);
          },
          closed: (cause) => {
            trouble.stir();
            this.#connections.delete(inner);
            if (!trouble.dead) events.closed(cause);
          },
        });
      },
      send: (messages) => {
        if (!trouble.dead) inner.send(messages);
      },
      close: () => {
        this.#connections.delete(inner);
        inner.close();
      },
    };
  }
}

function unreachable(domid: number, code: string): QmpError {
  const cause = Object.assign(new Error('connect'), { code });
  return new QmpError('unreachable', 'connect', `cannot connect to QEMU ${domid} (${code})`, { cause });
}
