/** What goes wrong on a host: one fault at one call, and its effects whatever interface the call goes through. */
import type { SimHost } from '../../src/sim/index.js';
import { commit, type Stage } from './events.js';
import type { Fault, HostCall } from './faults.js';
import { SavedFiles } from './saved-files.js';
import { Silence } from './silence.js';

/** A fault and the call that it strikes. */
export interface Strike {
  readonly at: number;
  readonly fault: Fault;
}

/** The answer to a process that is gone. */
export const never = (): Promise<never> => new Promise(() => {});

/** Counts a program's calls through all interfaces of its host, and makes one of them go wrong. */
export class Trouble {
  /** Every call so far. */
  readonly calls: HostCall[] = [];
  readonly #sim: SimHost;
  readonly #stage: Stage;
  readonly #strike: Strike | undefined;
  readonly #abort = new AbortController();
  readonly #ends: (() => void)[] = [];
  readonly #settled: (() => void)[] = [];
  /** What something else does; it may have to wait until the program releases a lock. */
  #deed: Promise<void> = Promise.resolve();
  #silence: Silence | undefined;
  #inWave = false;
  #dead = false;
  #activity = 0;

  constructor(sim: SimHost, stage: Stage, strike: Strike | undefined) {
    this.#sim = sim;
    this.#stage = stage;
    this.#strike = strike;
  }

  /** The signal that the program's operation gets. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** True when the process was killed. */
  get dead(): boolean {
    return this.#dead;
  }

  /** Grows with whatever the program does. */
  get activity(): number {
    return this.#activity;
  }

  /** Something happened. */
  stir(): void {
    this.#activity++;
  }

  /** Counts a call; returns the fault that strikes it. */
  note(what: HostCall['what'], name: string, changes: boolean): Fault | undefined {
    this.#activity++;
    const call = { index: this.calls.length, what, name, changes, first: !this.#inWave };
    this.calls.push(call);
    if (!this.#inWave) {
      this.#inWave = true;
      queueMicrotask(() => {
        this.#inWave = false;
      });
    }
    return this.#strike?.at === call.index ? this.#strike.fault : undefined;
  }

  /** Someone presses Ctrl-C. */
  abort(): void {
    this.#abort.abort(new Error('interrupted'));
  }

  /** The caller gives up; the answer comes a little later. */
  async hang(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.abort();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lasting faults: what serves the controller is silent, or its QEMU cannot open the device. */
  set({ kind }: Extract<Fault, { kind: 'silence' | 'unopenable' }>): void {
    const { domid, busid } = this.#stage;
    if (kind === 'silence') this.#silence = Silence.of(this.#sim, this.#stage);
    else this.#sim.qemus.get(domid)?.refuseOpen(busid);
  }

  /** Ends what {@link set} began. A QEMU that was silent continues, or was killed. */
  async settle(how: 'back' | 'killed'): Promise<void> {
    await this.#silence?.end(how);
    for (const end of this.#settled.splice(0)) end();
    await this.#deed;
    const { domid, busid } = this.#stage;
    if (this.#strike?.fault.kind === 'unopenable') this.#sim.qemus.get(domid)?.refuseOpen(busid, false);
  }

  /** Something happens to the host, or begins to: what needs a lock that the program has continues after it. */
  async befall(fault: Extract<Fault, { kind: 'deed' }>): Promise<void> {
    const waits = SavedFiles.of(this.#sim).nextWait();
    // An event that fails is a bug in the test: an unhandled rejection, which ends it.
    this.#deed = commit(this.#sim, this.#stage, fault.deed).then(() => this.stir());
    await Promise.race([this.#deed, waits]);
  }

  /** The process is killed. */
  die(): void {
    this.#dead = true;
    for (const end of this.#ends) end();
  }

  /** Calls `end` when the process is killed. */
  onDeath(end: () => void): void {
    this.#ends.push(end);
  }

  /** Calls `end` when a lasting fault is over. */
  onSettled(end: () => void): void {
    this.#settled.push(end);
  }

  /** Makes a call struck by a fault that is the same for files and monitors. */
  async strike<T>(fault: Fault, act: () => Promise<T>): Promise<T> {
    switch (fault.kind) {
      case 'abort':
        if (!fault.after) this.abort();
        try {
          return await act();
        } finally {
          this.abort();
        }
      case 'hang':
        await this.hang();
        return act();
      case 'deed':
        await this.befall(fault);
        return act();
      case 'silence':
      case 'unopenable':
        this.set(fault);
        return act();
      case 'kill':
        if (fault.after) await act().catch(() => undefined);
        this.die();
        return never();
      default:
        return act();
    }
  }
}
