/**
 * Domain life: sees guests come and go. What a guest leaves is cleaned up when its toolstack has not done it, and a guest
 * that comes back (a reboot gives it a new number) gets its devices again.
 */
import { withDeadline } from '../../async/index.js';
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN } from '../../xenstore/index.js';
import { isPvusbError } from '../model/errors.js';
import { toPvusbError } from '../model/failure.js';
import { livingGuests } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { BACKEND_KINDS, backendsPath, LIBXL } from '../model/layout.js';
import type { CallOptions, Host } from '../observe/host.js';
import { observe } from '../observe/observe.js';
import type { Attached } from '../verbs/operations.js';
import { type Change, Memory } from './guests-seen.js';
import { Leavings } from './leftovers.js';
import { giveAgain } from './reattach.js';
import { Addresses, type Corrected, correctAddresses } from './saved-addresses.js';

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
  /** How long a port must be empty to count as detached, rather than as the end of its guest; 5,000 ms unless given. */
  readonly wishMs?: number | undefined;
}

/** Events that come together are looked at once. */
const GATHER_MS = 100;

/** Longer than the longest wait of libxl's. */
const TOOLSTACK_MS = 12_000;

/** The pause between two tries to give a guest its devices again. */
const RETRY_MS = 1_000;

/** The same for a file that libxl has not written yet. */
const FILE_RETRY_MS = 3_000;

/** Longest time between two looks: not everything is told by an event. */
const LOOK_EVERY_MS = 30_000;

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
  readonly #memory: Memory;
  readonly #addresses = new Addresses();
  readonly #leavings: Leavings;
  #isDirty = true;
  #failure: unknown;
  #wake: () => void = () => undefined;

  constructor(host: Host, { signal, onEvent, toolstackMs, wishMs }: WatchOptions) {
    this.#memory = new Memory({ wishMs });
    this.#leavings = new Leavings(toolstackMs ?? TOOLSTACK_MS);
    this.#host = host;
    this.#signal = signal;
    this.#tell = onEvent ?? (() => undefined);
  }

  async run(): Promise<void> {
    const paths = [
      INTRODUCE_DOMAIN,
      RELEASE_DOMAIN,
      LIBXL,
      ...BACKEND_KINDS.map((kind) => backendsPath(kind)),
    ];
    const call = { signal: this.#signal };
    const { xenstore, plugs } = this.#host;
    const opening = [...paths.map((path) => xenstore.watch(path, call)), ...(plugs ? [plugs()] : [])];
    const watches = (await Promise.allSettled(opening)).flatMap((opened) =>
      opened.status === 'fulfilled' ? opened.value : [],
    );
    const pumps = watches.map((changes) => this.#pump(changes));
    // What is left over from before.
    this.#leavings.add({ busids: [], sinceMs: this.#nowMs() });
    try {
      // Rejects as the one did that could not be opened.
      await Promise.all(opening);
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

  async #pump(changes: { next(): Promise<IteratorResult<readonly string[], undefined>> }): Promise<void> {
    try {
      while (!(await changes.next()).done) {
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
    const retryMs = this.#memory.returning.length > 0 ? nowMs + RETRY_MS : undefined;
    const fileMs = this.#addresses.isWaiting ? nowMs + FILE_RETRY_MS : undefined;
    const dues = [retryMs, fileMs, this.#leavings.dueMs, this.#memory.dueMs];
    const hints = dues.filter((at) => at !== undefined);
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

  /** A look that fails is told, and made again. */
  async #look(isFirst: boolean): Promise<void> {
    this.#isDirty = false;
    try {
      await this.#act(await observe(this.#host, { signal: this.#signal }), isFirst);
    } catch (error) {
      if (isFirst) throw error;
      this.#trouble(error);
      this.#isDirty = true;
      await this.#host.clock.sleep(RETRY_MS, this.#signal);
    }
  }

  async #act(inventory: Inventory, isFirst: boolean): Promise<void> {
    const nowMs = this.#nowMs();
    const { gone, attached, detached } = this.#memory.see(inventory, nowMs);
    if (isFirst) {
      this.#tell({ event: 'watching', domains: livingGuests(inventory).length });
    }
    for (const change of attached) this.#tell({ event: 'attached', ...change });
    for (const change of detached) {
      this.#leavings.add({ busids: [change.busid], sinceMs: nowMs });
      this.#tell({ event: 'detached', ...change });
    }
    for (const { domid, name, lent } of gone) {
      const busids = lent.map(({ busid }) => busid);
      this.#leavings.add({ domid, busids, sinceMs: nowMs });
      this.#tell({ event: 'gone', domid, name, busids });
    }
    await this.#correct(inventory);
    await this.#giveAgain(inventory);
    if (this.#leavings.dueMs !== undefined && this.#nowMs() >= this.#leavings.dueMs) await this.#clean();
  }

  /** Has libxl's files name devices by the addresses that they have now. */
  async #correct(inventory: Inventory): Promise<void> {
    for (const domid of this.#addresses.see(inventory, this.#nowMs())) {
      try {
        const corrected = await correctAddresses(this.#host, inventory, domid, { signal: this.#signal });
        if (corrected) this.#addresses.settle(domid);
        for (const address of corrected ?? []) this.#tell({ event: 'corrected', ...address });
      } catch (error) {
        this.#trouble(error);
      }
    }
  }

  /** Tells of it; what ends the watch is thrown on. */
  #trouble(error: unknown): void {
    if (this.#signal?.aborted || isPvusbError(error, 'connection-lost')) throw error;
    this.#tell({ event: 'trouble', why: messageOf(error) });
  }

  /** Mends what dead guests have left. */
  async #clean(): Promise<void> {
    try {
      const { mended, failures } = await this.#leavings.mend(this.#host, this.#nowMs(), this.#signal);
      for (const what of mended) this.#tell({ event: 'mended', what });
      for (const why of failures) this.#tell({ event: 'trouble', why });
    } catch (error) {
      this.#trouble(error);
    }
  }

  /** Attaches what guests that are back had before. */
  async #giveAgain(inventory: Inventory): Promise<void> {
    for (const guest of this.#memory.returning) {
      const { domid, name } = guest;
      for (const lent of guest.lent) {
        const given = await giveAgain(this.#host, inventory, guest, lent, this.#signal);
        if (given === 'later') continue;
        const { attachment, why } = given;
        this.#memory.settle(guest, lent, attachment && { ...lent, ...attachment });
        if (attachment) this.#tell({ event: 'returned', name, attachment });
        if (why !== undefined) this.#tell({ event: 'not-returned', domid, busid: lent.busid, why });
      }
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
