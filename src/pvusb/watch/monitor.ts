/** Follows a host: what is dirty is looked at again, and the differences are reported. */
import { channel } from 'node:diagnostics_channel';
import { withDeadline } from '../../async/index.js';
import type { Busid } from '../../sysfs/busid.js';
import { differences, type InventoryChange } from '../model/difference.js';
import { isPvusbError } from '../model/errors.js';
import { toPvusbError } from '../model/failure.js';
import type { Inventory } from '../model/inventory.js';
import { observeAgain } from '../observe/again.js';
import type { CallOptions, Changes, Host } from '../observe/host.js';
import { observe } from '../observe/observe.js';
import { DirtySet, WATCHED } from './dirty.js';

/** The result of a look. */
export interface Look {
  readonly inventory: Inventory;
  /** Since the previous look; none at the first one. */
  readonly changes: readonly InventoryChange[];
  readonly isFirst: boolean;
}

/** Who is told about looks. */
export interface MonitorClient {
  /** When it wants to be called even if nothing happens (the clock's milliseconds); undefined: never. */
  dueMs(nowMs: number): number | undefined;
  /** Called after each look, and when it is due. The next look waits for it. */
  see(look: Look): Promise<void>;
  /** A look has failed; it will be repeated. Whatever this throws ends the monitor. */
  trouble(error: unknown): void;
}

/** How a host is followed. */
export interface MonitorOptions extends CallOptions {
  /** The whole host is looked at at least this often, since not every change has an event; default 30,000 ms. */
  readonly lookEveryMs?: number | undefined;
}

/** Events that come together lead to one look. */
const GATHER_MS = 100;

/** The pause after a look that failed. */
const RETRY_MS = 1_000;

const LOOK_EVERY_MS = 30_000;

/** A device that entered or left a port changes its drivers after that, which no event reports: it is looked at again. */
const DRIVERS_AFTER_MS = 1_000;

/** Every change that any monitor in the process sees: one {@link InventoryChange} each, on `pvusb:change`. */
const CHANGES = channel('pvusb:change');

/** Follows a host for one client, until the signal aborts. */
export class Monitor {
  readonly #host: Host;
  readonly #signal: AbortSignal | undefined;
  readonly #lookEveryMs: number;
  readonly #dirty = new DirtySet();
  #last: Inventory | undefined;
  /** When the whole host was last looked at. */
  #wholeMs = 0;
  /** Devices that are to be looked at again, and when. */
  #again: { readonly busid: Busid; readonly atMs: number }[] = [];
  #failure: unknown;
  #wake: () => void = () => undefined;

  constructor(host: Host, { signal, lookEveryMs = LOOK_EVERY_MS }: MonitorOptions = {}) {
    this.#host = host;
    this.#signal = signal;
    this.#lookEveryMs = lookEveryMs;
  }

  /**
   * Looks, reports and waits until the signal aborts.
   *
   * @throws {XenstoreError} `connection-lost`
   * @throws the signal's reason; what the first look, or the client, throws
   */
  async run(client: MonitorClient): Promise<void> {
    const { xenstore, plugs } = this.#host;
    const call = { signal: this.#signal };
    const opening = [
      ...WATCHED.map(async (path) => this.#fired(await xenstore.watch(path, call))),
      ...(plugs ? [plugs()] : []),
    ];
    const opened = (await Promise.allSettled(opening)).flatMap((one) =>
      one.status === 'fulfilled' ? one.value : [],
    );
    const pumps = opened.map((changes, at) =>
      this.#pump(changes, (name) => {
        if (at < WATCHED.length) this.#dirty.markPath(name);
        else this.#dirty.markPlug(name);
      }),
    );
    try {
      // Rejects like the one that could not be opened.
      await Promise.all(opening);
      for (;;) {
        await this.#look(client);
        await this.#wait(client);
      }
    } finally {
      await Promise.all(opened.map((changes) => changes.close().catch(() => undefined)));
      await Promise.all(pumps);
    }
  }

  /** A watch fires once when it is set, for no reason. */
  async #fired(changes: Changes): Promise<Changes> {
    try {
      await changes.next({ signal: this.#signal });
      return changes;
    } catch (error) {
      await changes.close().catch(() => undefined);
      throw error;
    }
  }

  async #pump(changes: Pick<Changes, 'next'>, mark: (name: string) => void): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await changes.next();
        if (done) return;
        for (const name of value) mark(name);
        if (value.length === 0) this.#dirty.markEverything();
        this.#wake();
      }
    } catch (error) {
      this.#failure = error;
      this.#wake();
    }
  }

  /** A failed look is reported and repeated, for the whole host. */
  async #look(client: MonitorClient): Promise<void> {
    const before = this.#last;
    try {
      const inventory = await this.#observe(before);
      this.#last = inventory;
      const changes = before ? differences(before, inventory) : [];
      const atMs = this.#host.clock.nowMs() + DRIVERS_AFTER_MS;
      for (const change of changes) {
        if (change.change !== 'attached' && change.change !== 'detached') continue;
        this.#again.push({ busid: change.busid, atMs });
      }
      if (CHANGES.hasSubscribers) for (const change of changes) CHANGES.publish(change);
      await client.see({ inventory, changes, isFirst: before === undefined });
    } catch (error) {
      if (before === undefined) throw error;
      client.trouble(error);
      this.#dirty.markEverything();
      await this.#host.clock.sleep(RETRY_MS, this.#signal);
    }
  }

  #observe(before: Inventory | undefined): Promise<Inventory> {
    const call = { signal: this.#signal };
    const nowMs = this.#host.clock.nowMs();
    const isDue = nowMs >= this.#wholeMs + this.#lookEveryMs;
    for (const { busid, atMs } of this.#again) if (atMs <= nowMs) this.#dirty.markDevice(busid);
    this.#again = this.#again.filter(({ atMs }) => atMs > nowMs);
    if (before && !isDue && this.#dirty.isEmpty) return Promise.resolve(before);
    const dirty = this.#dirty.take(before);
    if (before && !isDue && dirty !== 'everything') return observeAgain(this.#host, before, dirty, call);
    this.#wholeMs = nowMs;
    return observe(this.#host, call);
  }

  /** Until something happens or is due. */
  async #wait(client: MonitorClient): Promise<void> {
    const nowMs = this.#host.clock.nowMs();
    const dues = [client.dueMs(nowMs) ?? [], this.#again[0]?.atMs ?? []].flat();
    const dueMs = Math.min(this.#wholeMs + this.#lookEveryMs, ...dues);
    const isIdle = this.#dirty.isEmpty && this.#failure === undefined;
    if (isIdle) await this.#sleepUntilWoken(Math.max(0, dueMs - nowMs));
    if (this.#failure !== undefined) throw this.#failure;
    this.#signal?.throwIfAborted();
    if (!this.#dirty.isEmpty) await this.#host.clock.sleep(GATHER_MS, this.#signal);
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
}

/** Options of {@link followHost}. */
export interface FollowOptions extends MonitorOptions {
  /** Called once, with the host as it is now. */
  readonly onStart?: ((inventory: Inventory) => void) | undefined;
  /** Called with each change from then on. */
  readonly onChange?: ((change: InventoryChange) => void) | undefined;
}

/**
 * Reports how a host changes until the signal aborts: first the host as it is, then each difference. It changes
 * nothing.
 *
 * @throws {PvusbError} when the host can no longer be followed: `connection-lost`, or one of the host's
 */
export async function followHost(host: Host, options: FollowOptions = {}): Promise<void> {
  const client: MonitorClient = {
    dueMs: () => undefined,
    async see({ inventory, changes, isFirst }) {
      if (isFirst) options.onStart?.(inventory);
      for (const change of changes) options.onChange?.(change);
    },
    trouble(error) {
      if (isPvusbError(error, 'connection-lost')) throw error;
    },
  };
  try {
    await new Monitor(host, options).run(client);
  } catch (error) {
    if (options.signal?.aborted) return;
    throw toPvusbError(error, { doing: 'following the host', signal: options.signal });
  }
}
