/**
 * Domain life: sees guests come and go. What a guest leaves is cleaned up when its toolstack has not done it, and a guest
 * that comes back (a reboot gives it a new number) gets its devices again.
 */
import { withDeadline } from '../async/index.js';
import type { Busid } from '../sysfs/index.js';
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN } from '../xenstore/index.js';
import { Addresses, type Corrected, correctAddresses } from './correct.js';
import { describeFinding } from './describe-finding.js';
import type { Finding } from './diagnose.js';
import { doctor } from './doctor.js';
import { isPvusbError } from './errors.js';
import { toPvusbError } from './failure.js';
import { type Given, giveAgain } from './give-again.js';
import type { CallOptions, Host } from './host.js';
import { backendsPath, LIBXL } from './layout.js';
import { type Change, type Lent, Memory, type Returning } from './memory.js';
import type { Inventory } from './model.js';
import { observe } from './observe.js';
import type { Attached } from './operations.js';

/** What a watch tells. */
export type LifeEvent =
  | { readonly event: 'watching'; readonly domains: number }
  /** A guest has got or lost a device, by whomever. */
  | ({ readonly event: 'attached' } & Change)
  | ({ readonly event: 'detached' } & Change)
  /** A guest is gone; what it had. */
  | {
      readonly event: 'gone';
      readonly domid: number;
      readonly name?: string | undefined;
      readonly busids: readonly string[];
    }
  /** Something that a dead guest had left was mended. */
  | { readonly event: 'mended'; readonly what: string }
  /** A guest that came back has a device again. */
  | { readonly event: 'returned'; readonly name?: string | undefined; readonly attachment: Attached }
  /** It does not get it, and why. */
  | { readonly event: 'not-returned'; readonly domid: number; readonly busid: string; readonly why: string }
  /** A guest's saved configuration had another address for a device that was plugged in anew. */
  | ({ readonly event: 'corrected' } & Corrected)
  /** A look or a repair failed; the watch goes on. */
  | { readonly event: 'trouble'; readonly why: string };

/** Options of {@link watchDomains}. */
export interface WatchOptions extends CallOptions {
  readonly onEvent?: ((event: LifeEvent) => void) | undefined;
  /** How long a toolstack may take to clean up behind a guest; 12,000 ms (more than libxl's longest wait) unless given. */
  readonly toolstackMs?: number | undefined;
}

/** Events that come together are looked at once. */
const GATHER_MS = 100;

/** Longer than the longest wait of libxl's. */
const TOOLSTACK_MS = 12_000;

/** The pause between two tries to give a guest its devices again. */
const RETRY_MS = 1_000;

/** Longest time between two looks: not everything is told by an event. */
const LOOK_EVERY_MS = 30_000;

/** What a dead guest leaves. */
const LEFT: ReadonlySet<Finding['finding']> = new Set([
  'dead-domain',
  'orphan-backend',
  'stale-saved-driver',
  'binding-without-port',
]);

/**
 * Watches guests come and go until the signal aborts.
 *
 * @throws {PvusbError} when the host cannot be watched any more: `connection-lost`, or one of the host's
 */
export async function watchDomains(host: Host, options: WatchOptions = {}): Promise<void> {
  const watch = new LifeWatch(host, options);
  try {
    await watch.run();
  } catch (error) {
    if (options.signal?.aborted) return;
    throw toPvusbError(error, { doing: 'watching domains', signal: options.signal });
  }
}

class LifeWatch {
  readonly #host: Host;
  readonly #signal: AbortSignal | undefined;
  readonly #tell: (event: LifeEvent) => void;
  readonly #toolstackMs: number;
  readonly #memory = new Memory();
  readonly #addresses = new Addresses();
  #returning: Returning[] = [];
  /** What guests had: a QEMU that has died does not give its devices back. */
  readonly #had: Busid[] = [];
  /** Told as returned already: `domid/busid`. */
  readonly #given = new Set<string>();
  #cleanAtMs: number | undefined;
  #isDirty = true;
  #failure: unknown;
  #wake: () => void = () => undefined;

  constructor(host: Host, { signal, onEvent, toolstackMs }: WatchOptions) {
    this.#toolstackMs = toolstackMs ?? TOOLSTACK_MS;
    this.#host = host;
    this.#signal = signal;
    this.#tell = onEvent ?? (() => undefined);
  }

  async run(): Promise<void> {
    const paths = [INTRODUCE_DOMAIN, RELEASE_DOMAIN, LIBXL, backendsPath('vusb'), backendsPath('qusb')];
    const call = { signal: this.#signal };
    const { xenstore, plugs } = this.#host;
    const watches = await Promise.all([
      ...paths.map((path) => xenstore.watch(path, call)),
      ...(plugs ? [plugs()] : []),
    ]);
    const pumps = watches.map((changes, i) => this.#pump(changes, paths[i] === RELEASE_DOMAIN));
    this.#cleanAtMs = this.#nowMs() + this.#toolstackMs;
    try {
      for (let isFirst = true; ; isFirst = false) {
        await this.#look(isFirst);
        await this.#wait();
      }
    } finally {
      await Promise.all(watches.map((changes) => changes.close().catch(() => undefined)));
      await Promise.all(pumps);
    }
  }

  #nowMs(): number {
    return this.#host.clock.nowMs();
  }

  async #pump(
    changes: { next(): Promise<IteratorResult<readonly string[], undefined>> },
    isRelease: boolean,
  ): Promise<void> {
    try {
      // The first event only says that the watch is set.
      for (let isFirst = true; !(await changes.next()).done; isFirst = false) {
        if (isRelease && !isFirst) this.#memory.released(this.#nowMs());
        this.#isDirty = true;
        this.#wake();
      }
    } catch (error) {
      this.#failure = error;
      this.#wake();
    }
  }

  /** Until something happens or is due. */
  async #wait(): Promise<void> {
    const nowMs = this.#nowMs();
    const retryMs = this.#returning.length > 0 ? nowMs + RETRY_MS : undefined;
    const hints = [retryMs, this.#cleanAtMs, this.#memory.dueMs(nowMs)].filter((at) => at !== undefined);
    const withinMs = Math.max(0, Math.min(nowMs + LOOK_EVERY_MS, ...hints) - nowMs);
    if (!this.#isDirty && this.#failure === undefined) await this.#sleepUntilWoken(withinMs);
    if (this.#failure !== undefined) throw this.#failure;
    this.#signal?.throwIfAborted();
    if (this.#isDirty) await this.#host.clock.sleep(GATHER_MS, this.#signal);
  }

  async #sleepUntilWoken(withinMs: number): Promise<void> {
    const woken = (limit: AbortSignal | undefined): Promise<void> =>
      new Promise((resolve) => {
        const end = (): void => {
          limit?.removeEventListener('abort', end);
          resolve();
        };
        this.#wake = end;
        limit?.addEventListener('abort', end, { once: true });
        if (limit?.aborted) end();
      });
    await withDeadline(this.#host.clock, { withinMs, signal: this.#signal }, woken);
  }

  async #look(isFirst: boolean): Promise<void> {
    this.#isDirty = false;
    const inventory = await observe(this.#host, { signal: this.#signal });
    const { gone, returned, attached, detached } = this.#memory.see(inventory, this.#nowMs());
    if (isFirst) {
      const domains = inventory.domains.filter(({ domid, alive }) => alive && domid !== 0).length;
      this.#tell({ event: 'watching', domains });
    }
    for (const change of attached) {
      if (!this.#given.delete(`${change.domid}/${change.busid}`))
        this.#tell({ event: 'attached', ...change });
    }
    for (const change of detached) {
      this.#had.push(change.busid);
      this.#tell({ event: 'detached', ...change });
    }
    for (const { domid, name, lent } of gone) {
      const busids = lent.map(({ busid }) => busid);
      this.#had.push(...busids);
      this.#tell({ event: 'gone', domid, name, busids });
      this.#returning = this.#returning.filter((other) => other.domid !== domid);
    }
    if (gone.length + detached.length > 0) this.#cleanAtMs = this.#nowMs() + this.#toolstackMs;
    this.#returning.push(...returned);
    await this.#correct(inventory);
    await this.#giveAgain(inventory);
    if (this.#cleanAtMs !== undefined && this.#nowMs() >= this.#cleanAtMs) await this.#clean();
  }

  /** Has libxl's files name devices by the addresses that they have now. */
  async #correct(inventory: Inventory): Promise<void> {
    for (const domid of this.#addresses.see(inventory)) {
      try {
        const corrected = await correctAddresses(this.#host, inventory, domid, { signal: this.#signal });
        for (const address of corrected) this.#tell({ event: 'corrected', ...address });
      } catch (error) {
        this.#trouble(error);
        this.#addresses.forget(domid);
      }
    }
  }

  /** Tells of it; what ends the watch is thrown on. */
  #trouble(error: unknown): void {
    if (this.#signal?.aborted || isPvusbError(error, 'connection-lost')) throw error;
    this.#tell({ event: 'trouble', why: messageOf(error) });
  }

  /** Mends what dead guests have left, if it lasts. */
  async #clean(): Promise<void> {
    this.#cleanAtMs = undefined;
    const only = ({ finding }: Finding): boolean => LEFT.has(finding);
    const had = new Set(this.#had.splice(0));
    try {
      const revivable = (busid: Busid): boolean => had.has(busid);
      const options = { fix: true, only, revivable, signal: this.#signal };
      const { findings, remaining, failures, revived } = await doctor(this.#host, options);
      const left = new Set(remaining.map(describeFinding));
      for (const what of findings.map(describeFinding)) {
        if (!left.has(what)) this.#tell({ event: 'mended', what });
      }
      for (const busid of revived) this.#tell({ event: 'mended', what: `${busid} has its drivers again.` });
      for (const why of failures) this.#tell({ event: 'trouble', why });
    } catch (error) {
      this.#trouble(error);
    }
  }

  /** Attaches what guests that are back had before. */
  async #giveAgain(inventory: Inventory): Promise<void> {
    const waiting: Returning[] = [];
    for (const guest of this.#returning) {
      const left: Lent[] = [];
      for (const lent of guest.lent) {
        const given = await giveAgain(this.#host, inventory, guest, lent, this.#signal);
        if (given === 'later') left.push(lent);
        else this.#tellGiven(guest, lent, given);
      }
      if (left.length > 0) waiting.push({ ...guest, lent: left });
    }
    this.#returning = waiting;
  }

  #tellGiven({ domid, name }: Returning, { busid }: Lent, { attachment, why }: Given): void {
    if (attachment) {
      this.#given.add(`${domid}/${attachment.busid}`);
      this.#tell({ event: 'returned', name, attachment });
    }
    if (why !== undefined) this.#tell({ event: 'not-returned', domid, busid, why });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
