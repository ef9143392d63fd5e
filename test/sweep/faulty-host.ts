/** A host for the product, in which one call goes wrong. */
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
import type { Stage } from './events.js';
import type { HostCall } from './faults.js';
import { FaultyQemus } from './faulty-qemus.js';
import { FaultyUserdata } from './faulty-userdata.js';
import { SavedFiles } from './saved-files.js';
import { ManualClock } from './settle.js';
import { never, type Strike, Trouble } from './trouble.js';

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

/** Attributes whose reading counts as a call: those that a scan depends on. */
const COUNTED = /\/(busnum|bInterfaceClass)$/;

/** A program's view of a simulated host. It counts every call, and makes one of them go wrong. */
export class FaultyHost {
  readonly clock = new ManualClock();
  readonly host: Host;
  readonly trouble: Trouble;
  readonly #sim: SimHost;
  readonly #qemus: FaultyQemus;
  readonly #files: FaultyUserdata;
  readonly #clients: XenstoreClient[] = [];
  /** The connection whose bytes the store is looking at. */
  #sending = false;
  #paused = false;
  #reopens = true;
  #refused: { readonly path: string; readonly errno: string } | undefined;

  constructor(sim: SimHost, stage: Stage, strike?: Strike) {
    this.#sim = sim;
    this.trouble = new Trouble(sim, stage, strike);
    this.trouble.onDeath(() => {
      for (const client of this.#clients) client.close();
    });
    this.#qemus = new FaultyQemus(sim, this.clock, this.trouble);
    this.#files = new FaultyUserdata(SavedFiles.of(sim), this.clock, this.trouble);
    sim.store.intercept = (request) => this.#judge(request);
    this.host = {
      xenstore: this.#open(),
      sysfs: new Sysfs(this.#sysfs(sim.usb.files), this.clock),
      qemu: this.#qemus.open,
      clock: this.clock,
      userdata: this.#files.userdata,
      reopen: () => this.#reopen(),
    };
  }

  /** The signal that the program's operation gets. */
  get signal(): AbortSignal {
    return this.trouble.signal;
  }

  /** Requests that wait for an answer, watches and monitors that were not closed: 0 when nothing leaks. */
  get pending(): number {
    const { openCount } = this.#qemus;
    return this.#clients.reduce(
      (sum, { pendingCount, watchCount }) => sum + pendingCount + watchCount,
      openCount,
    );
  }

  /** Ends the program's locks; returns how many it had left behind. */
  endLocks(): number {
    return this.#files.endLocks();
  }

  /** Ends the program: its connections, and its hold on the store. */
  close(): void {
    for (const client of this.#clients) client.close();
    this.#qemus.close();
    this.#files.endLocks();
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
    if (this.trouble.dead) return never();
    if (this.#reopens) return this.#open();
    throw new XenstoreError('unreachable', 'connect', undefined, 'nobody listens');
  }

  /** A killed process sends nothing and receives nothing. */
  #wire(inner: Transport): Transport {
    const { trouble } = this;
    return {
      start: (events: TransportEvents) =>
        inner.start({
          bytes: (chunk) => {
            trouble.stir();
            if (!trouble.dead) events.bytes(chunk);
          },
          closed: (cause) => {
            trouble.stir();
            if (!trouble.dead) events.closed(cause);
          },
        }),
      send: (messages) => {
        if (trouble.dead) return;
        this.#sending = true;
        inner.send(messages);
        this.#sending = false;
      },
      close: () => inner.close(),
    };
  }

  #judge(request: StoreRequest): StoreFate {
    if (!this.#sending) return 'pass';
    if (this.#paused) return 'hold';
    const { trouble } = this;
    const name = `${describeType(request.type)} ${request.path ?? ''}`.trim();
    const fault = trouble.note('store', name, CHANGING.has(request.type));
    switch (fault?.kind) {
      case 'errno':
        return { error: fault.errno };
      case 'drop':
        this.#reopens = fault.reopens;
        return fault.after ? 'drop-after' : 'drop-connection';
      case 'abort':
        if (!fault.after) trouble.abort();
        else queueMicrotask(() => trouble.abort());
        return 'pass';
      case 'hang':
        return this.#pause(() => trouble.hang());
      case 'deed':
        return this.#pause(() => trouble.befall(fault));
      case 'silence':
      case 'unopenable':
        trouble.set(fault);
        return 'pass';
      case 'kill':
        trouble.die();
        return fault.after ? 'drop-after' : 'drop-connection';
      default:
        return 'pass';
    }
  }

  /** Holds back this request and the later ones until something has happened: the daemon answers in order. */
  #pause(happening: () => Promise<void>): StoreFate {
    this.#paused = true;
    void this.#holdWhile(happening);
    return 'hold';
  }

  async #holdWhile(happening: () => Promise<void>): Promise<void> {
    await happening();
    this.trouble.stir();
    this.#paused = false;
    this.#sim.store.releaseHeld();
  }

  #sysfs(files: SysfsFiles): SysfsFiles {
    return {
      list: (path) => this.#file('list', path, () => files.list(path)),
      readLink: (path) => this.#file('link', path, () => files.readLink(path)),
      readBytes: (path) => this.#file('read', path, () => files.readBytes(path)),
      readText: (path) =>
        COUNTED.test(path) ? this.#file('read', path, () => files.readText(path)) : files.readText(path),
      writeText: (path, text) => this.#file('write', path, () => files.writeText(path, text)),
    };
  }

  async #file<T>(what: HostCall['what'], path: string, act: () => Promise<T>): Promise<T> {
    if (this.trouble.dead) return never();
    if (this.#refused?.path === path) throw kernelError(this.#refused.errno as 'EIO', what, path);
    const fault = this.trouble.note(what, `${what} ${path}`, what === 'write');
    if (!fault) return act();
    switch (fault.kind) {
      case 'refuse':
        this.#refused = { path, errno: fault.errno };
        throw kernelError(fault.errno as 'EIO', what, path);
      case 'errno':
        if (fault.after) await act();
        throw kernelError(fault.errno as 'EIO', what, path);
      default:
        return this.trouble.strike(fault, act);
    }
  }
}
