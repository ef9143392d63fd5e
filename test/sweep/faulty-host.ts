/** A host of the product in which one call goes wrong. */
import type { Host, Xenstore } from '../../src/pvusb/index.js';
import { kernelError, type SimHost, type StoreFate, type StoreRequest } from '../../src/sim/index.js';
import { Sysfs, type SysfsFiles } from '../../src/sysfs/index.js';
import {
  type Transport,
  type TransportEvents,
  XenstoreClient,
  XenstoreError,
} from '../../src/xenstore/index.js';
import { describeType, MessageType } from '../../src/xenstore/wire.js';
import { commit, type Stage } from './deeds.js';
import type { Fault, HostCall } from './faults.js';
import { ManualClock } from './settle.js';

/** A fault and the call that it strikes. */
export interface Strike {
  readonly at: number;
  readonly fault: Fault;
}

/** Requests that change something or decide whether it was changed. */
const CHANGING = new Set<number>([
  MessageType.write,
  MessageType.mkdir,
  MessageType.rm,
  MessageType.setPermissions,
  MessageType.transactionStart,
  MessageType.transactionEnd,
  MessageType.watch,
  MessageType.unwatch,
]);

/** Attributes whose reading counts as a call: those that a scan stands or falls with. */
const COUNTED = /\/(busnum|bInterfaceClass)$/;

const never = (): Promise<never> => new Promise(() => {});

/** A program's view of a simulated host. It counts every call, and one strike makes one of them go wrong. */
export class FaultyHost {
  readonly clock = new ManualClock();
  readonly host: Host;
  /** Every call so far. */
  readonly calls: HostCall[] = [];
  readonly #sim: SimHost;
  readonly #stage: Stage;
  readonly #strike: Strike | undefined;
  readonly #abort = new AbortController();
  readonly #clients: XenstoreClient[] = [];
  /** The connection whose bytes the store is looking at. */
  #sending = false;
  #inWave = false;
  #paused = false;
  #dead = false;
  #reopens = true;
  #refused: { readonly path: string; readonly errno: string } | undefined;
  #activity = 0;

  constructor(sim: SimHost, stage: Stage, strike?: Strike) {
    this.#sim = sim;
    this.#stage = stage;
    this.#strike = strike;
    sim.store.intercept = (request) => this.#judge(request);
    this.host = {
      xenstore: this.#open(),
      sysfs: new Sysfs(this.#files(sim.usb.files), this.clock),
      clock: this.clock,
      reopen: () => this.#reopen(),
    };
  }

  /** The signal that the program's operation is given. */
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

  /** Requests that wait for an answer, watches that were not closed: 0 when nothing leaks. */
  get pending(): number {
    return this.#clients.reduce((sum, { pendingCount, watchCount }) => sum + pendingCount + watchCount, 0);
  }

  /** Ends the program: its connections, and its hold on the store. */
  close(): void {
    for (const client of this.#clients) client.close();
    delete this.#sim.store.intercept;
  }

  #open(): XenstoreClient {
    const client = new XenstoreClient(this.#wire(this.#sim.store.connect(0)), {
      clock: this.clock,
      random: () => 0,
    });
    this.#clients.push(client);
    return client;
  }

  async #reopen(): Promise<Xenstore> {
    if (this.#dead) return never();
    if (this.#reopens) return this.#open();
    throw new XenstoreError('unreachable', 'connect', undefined, 'nobody listens');
  }

  /** A killed process sends nothing and is told nothing. */
  #wire(inner: Transport): Transport {
    return {
      start: (events: TransportEvents) =>
        inner.start({
          bytes: (chunk) => {
            this.#activity++;
            if (!this.#dead) events.bytes(chunk);
          },
          closed: (cause) => {
            this.#activity++;
            if (!this.#dead) events.closed(cause);
          },
        }),
      send: (messages) => {
        if (this.#dead) return;
        this.#sending = true;
        inner.send(messages);
        this.#sending = false;
      },
      close: () => inner.close(),
    };
  }

  #note(what: HostCall['what'], name: string, changes: boolean): HostCall {
    this.#activity++;
    const call = { index: this.calls.length, what, name, changes, first: !this.#inWave };
    this.calls.push(call);
    if (!this.#inWave) {
      this.#inWave = true;
      queueMicrotask(() => {
        this.#inWave = false;
      });
    }
    return call;
  }

  #struck(call: HostCall): Fault | undefined {
    return this.#strike?.at === call.index ? this.#strike.fault : undefined;
  }

  #judge(request: StoreRequest): StoreFate {
    if (!this.#sending) return 'pass';
    if (this.#paused) return 'hold';
    const name = `${describeType(request.type)} ${request.path ?? ''}`.trim();
    const fault = this.#struck(this.#note('store', name, CHANGING.has(request.type)));
    switch (fault?.kind) {
      case undefined:
      case 'refuse':
        return 'pass';
      case 'errno':
        return { error: fault.errno };
      case 'drop':
        this.#reopens = fault.reopens;
        return fault.after ? 'drop-after' : 'drop-connection';
      case 'abort':
        if (!fault.after) this.#abort.abort(new Error('interrupted'));
        else queueMicrotask(() => this.#abort.abort(new Error('interrupted')));
        return 'pass';
      case 'hang':
        return this.#pause(async () => this.#hang());
      case 'deed':
        return this.#pause(() => commit(this.#sim, this.#stage, fault.deed));
      case 'silence':
        if (this.#sim.usbback) this.#sim.usbback.manner = 'slow';
        return 'pass';
      case 'kill':
        this.#dead = true;
        return fault.after ? 'drop-after' : 'drop-connection';
    }
  }

  /** Holds this request and the later ones back until something has happened: the daemon answers in order. */
  #pause(happening: () => Promise<void>): StoreFate {
    this.#paused = true;
    void this.#holdWhile(happening);
    return 'hold';
  }

  async #holdWhile(happening: () => Promise<void>): Promise<void> {
    // A deed that fails is a defect of the test: an unhandled rejection, which ends it.
    await happening();
    this.#activity++;
    this.#paused = false;
    this.#sim.store.releaseHeld();
  }

  /** The caller gives up; somewhat later the answer comes. */
  async #hang(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#abort.abort(new Error('interrupted'));
    await new Promise((resolve) => setImmediate(resolve));
  }

  #files(files: SysfsFiles): SysfsFiles {
    return {
      list: (path) => this.#file('list', path, () => files.list(path)),
      readLink: (path) => this.#file('link', path, () => files.readLink(path)),
      readText: (path) =>
        COUNTED.test(path) ? this.#file('read', path, () => files.readText(path)) : files.readText(path),
      writeText: (path, text) => this.#file('write', path, () => files.writeText(path, text)),
    };
  }

  async #file<T>(what: HostCall['what'], path: string, act: () => Promise<T>): Promise<T> {
    if (this.#dead) return never();
    if (this.#refused?.path === path) throw kernelError(this.#refused.errno as 'EIO', what, path);
    const fault = this.#struck(this.#note(what, `${what} ${path}`, what === 'write'));
    switch (fault?.kind) {
      case undefined:
      case 'drop':
        return act();
      case 'refuse':
        this.#refused = { path, errno: fault.errno };
        throw kernelError(fault.errno as 'EIO', what, path);
      case 'errno':
        if (fault.after) await act();
        throw kernelError(fault.errno as 'EIO', what, path);
      case 'abort':
        if (!fault.after) this.#abort.abort(new Error('interrupted'));
        try {
          return await act();
        } finally {
          this.#abort.abort(new Error('interrupted'));
        }
      case 'hang':
        await this.#hang();
        return act();
      case 'deed':
        await commit(this.#sim, this.#stage, fault.deed);
        return act();
      case 'silence':
        if (this.#sim.usbback) this.#sim.usbback.manner = 'slow';
        return act();
      case 'kill':
        if (fault.after) await act().catch(() => undefined);
        this.#dead = true;
        for (const client of this.#clients) client.close();
        return never();
    }
  }
}
