/**
 * What libxl stores about the domains of a simulated host: a file each, and its lock. In memory, since a sweep makes
 * thousands of hosts.
 */
import { DeadlineError, unlessAborted, withDeadline } from '../../src/async/index.js';
import { LibxlError, SavedConfig, type Userdata } from '../../src/libxl/index.js';
import type { SimHost } from '../../src/sim/index.js';

/** A place in the queue for a lock. */
interface Turn {
  /** The lock is ours. */
  readonly granted: Promise<void>;
  /** Releases it, or stops waiting for it. */
  leave(): void;
}

/** The files of one host's domains. */
export class SavedFiles {
  static readonly #all = new WeakMap<SimHost, SavedFiles>();
  readonly #files = new Map<number, Buffer>();
  /** By domain: who has the lock, followed by who is waiting. */
  readonly #queues = new Map<number, { begin(): void }[]>();
  #onWait: (() => void)[] = [];

  /** The files of a host: none, until someone has put one there. */
  static of(sim: SimHost): SavedFiles {
    const files = SavedFiles.#all.get(sim) ?? new SavedFiles();
    SavedFiles.#all.set(sim, files);
    return files;
  }

  /** The texts of all files by domain, in the order of the domains. */
  get texts(): ReadonlyMap<number, string> {
    return new Map(
      [...this.#files].sort(([a], [b]) => a - b).map(([domid, bytes]) => [domid, String(bytes)]),
    );
  }

  /** The domains whose lock is held. */
  get locked(): ReadonlySet<number> {
    return new Set([...this.#queues].flatMap(([domid, { length }]) => (length > 0 ? domid : [])));
  }

  /** A domain's file; undefined when it has none. */
  get(domid: number): Buffer | undefined {
    return this.#files.get(domid);
  }

  /** Replaces a domain's file; undefined: removes it. */
  put(domid: number, bytes: Buffer | undefined): void {
    if (bytes) this.#files.set(domid, bytes);
    else this.#files.delete(domid);
  }

  /** Queues for a domain's lock. */
  lock(domid: number): Turn {
    const queue = this.#queues.get(domid) ?? [];
    this.#queues.set(domid, queue);
    let begin = (): void => undefined;
    const granted = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const own = { begin };
    queue.push(own);
    if (queue.length === 1) begin();
    else for (const tell of this.#onWait.splice(0)) tell();
    return {
      granted,
      leave: () => {
        const at = queue.indexOf(own);
        if (at >= 0) queue.splice(at, 1);
        if (at === 0) queue[0]?.begin();
      },
    };
  }

  /** Resolves when someone begins to wait for a lock that another has. */
  nextWait(): Promise<void> {
    return new Promise((resolve) => this.#onWait.push(resolve));
  }

  /** What another toolstack does under a domain's lock. */
  async whileLocked(domid: number, body: () => Promise<void>): Promise<void> {
    const turn = this.lock(domid);
    await turn.granted;
    try {
      await body();
    } finally {
      turn.leave();
    }
  }

  /** Changes a file, for the holder of its lock. Nothing is done for a domain without one. */
  edit(domid: number, change: (config: SavedConfig) => SavedConfig): void {
    const bytes = this.get(domid);
    const config = bytes && parsed(bytes);
    if (config) this.put(domid, change(config).toBytes());
  }

  /** Removes a domain's file, as `xl destroy` does. */
  destroy(domid: number): Promise<void> {
    return this.whileLocked(domid, async () => this.put(domid, undefined));
  }
}

/** libxl cannot do anything with an invalid configuration either. */
function parsed(bytes: Buffer): SavedConfig | undefined {
  try {
    return SavedConfig.parse(bytes);
  } catch (error) {
    if (error instanceof LibxlError) return undefined;
    throw error;
  }
}

/** One call by a program. */
export interface SavedCall {
  readonly what: 'lock' | 'read' | 'write' | 'unlock';
  readonly domid: number;
}

/** What every call of a program goes through; `act` does it. */
export type Gate = <T>(call: SavedCall, act: () => Promise<T>) => Promise<T>;

/** The files as one program sees them: its calls, one after the other, and the locks that it holds. */
export class SimUserdata implements Userdata {
  readonly #files: SavedFiles;
  readonly #gate: Gate;
  readonly #turns = new Set<Turn>();

  constructor(files: SavedFiles, gate: Gate = (_, act) => act()) {
    this.#files = files;
    this.#gate = gate;
  }

  /** Locks that the program holds or waits for. */
  get lockCount(): number {
    return this.#turns.size;
  }

  /** The program is gone: its locks are released, what it has written stays. */
  end(): void {
    for (const turn of this.#turns) turn.leave();
    this.#turns.clear();
  }

  /** As the interface promises: a failure has changed nothing, and a failing body matters more than the unlock. */
  readonly withLock: Userdata['withLock'] = async (domain, options, body) => {
    const { domid } = domain;
    const files = this.#files;
    if (domain.uuid !== uuidOf(domid))
      throw new Error(`domain ${domid} does not have the uuid ${domain.uuid}`);
    const turn = await this.#gate({ what: 'lock', domid }, () => this.#lock(domid, options));
    const use = {
      read: () =>
        this.#gate({ what: 'read', domid }, async () => {
          const bytes = files.get(domid);
          return bytes && SavedConfig.parse(bytes);
        }),
      write: (config: SavedConfig) =>
        this.#gate({ what: 'write', domid }, async () => files.put(domid, config.toBytes())),
      remove: () => this.#gate({ what: 'write', domid }, async () => files.put(domid, undefined)),
    };
    const unlock = () => this.#gate({ what: 'unlock', domid }, async () => this.#leave(turn));
    let result: Awaited<ReturnType<typeof body>>;
    try {
      result = await body(use);
    } catch (error) {
      await unlock().catch(() => undefined);
      throw error;
    }
    await unlock();
    return result;
  };

  async #lock(
    domid: number,
    { signal, withinMs = 10_000, clock }: Parameters<Userdata['withLock']>[1],
  ): Promise<Turn> {
    signal?.throwIfAborted();
    const isFree = !this.#files.locked.has(domid);
    const turn = this.#files.lock(domid);
    this.#turns.add(turn);
    if (isFree) return turn;
    try {
      await withDeadline(clock!, { withinMs, signal }, (limited) => unlessAborted(turn.granted, limited));
      return turn;
    } catch (error) {
      this.#leave(turn);
      throw error instanceof DeadlineError ? new LibxlError('timeout', `domain ${domid}: locked`) : error;
    }
  }

  #leave(turn: Turn): void {
    this.#turns.delete(turn);
    turn.leave();
  }
}

/** The uuid of a simulated domain, which is part of its file names. */
export function uuidOf(domid: number): string {
  return `00000000-0000-4000-8000-${domid.toString(16).padStart(12, '0')}`;
}

/** The part of a configuration that is about USB. */
interface SavedSettings {
  readonly usbctrls: readonly unknown[];
  readonly usbdevs: readonly unknown[];
}

/** A file as libxl writes it: with a number that does not fit into a double, without empty arrays, and with a NUL. */
export function savedFile({ usbctrls, usbdevs }: SavedSettings): Buffer {
  const own = {
    ...(usbctrls.length > 0 ? { usbctrls } : {}),
    ...(usbdevs.length > 0 ? { usbdevs } : {}),
    on_crash: 'preserve',
  };
  const text = JSON.stringify({ c_info: { type: 'pv', max_memkb: 'MAX' }, ...own }, undefined, 4);
  return Buffer.from(`${text.replace('"MAX"', '18446744073709551615')}\n\0`);
}
