/** Follows a host: what is dirty is looked at again, and the differences are reported. */
import { channel } from 'node:diagnostics_channel';
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Mutex, withDeadline } from '../../async/index.js';
import type { Busid } from '../../sysfs/busid.js';
import { differences, type InventoryChange } from '../model/difference.js';
import type { Inventory } from '../model/inventory.js';
import { LIBXL } from '../model/layout.js';
import { observeAgain } from '../observe/again.js';
import type { CallOptions, Changes, Host, LatestOptions } from '../observe/host.js';
import { observe } from '../observe/observe.js';
import { DirtySet, WATCHED } from './dirty.js';
import { readAgain, Silent, silentDevices } from './silent.js';

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
  /**
   * The whole host is looked at at least this often; default 30,000 ms. Not at all where everything that changes has an
   * event.
   */
  readonly lookEveryMs?: number | undefined;
  /** Devices are read with the details that only rules use; unless given, only if there are rules. */
  readonly details?: boolean | undefined;
}

/** So many looks may follow each other at once; then each takes the time of one. Events in between lead to one look. */
const LOOKS_AT_ONCE = 8;
const LOOK_MS = 100;

/** The pause after a look that failed. */
const RETRY_MS = 1_000;

const LOOK_EVERY_MS = 30_000;

/** A device that entered or left a port changes its drivers after that, which not every kernel reports: it is looked at again. */
const DRIVERS_AFTER_MS = 1_000;

/** Every change that any monitor in the process sees: one {@link InventoryChange} each, on `pvusb:change`. */
const CHANGES = channel('pvusb:change');

/** Follows a host for one client, until the signal aborts. */
export class Monitor {
  readonly #host: Host;
  readonly #signal: AbortSignal | undefined;
  readonly #lookEveryMs: number;
  readonly #details: boolean | undefined;
  readonly #dirty = new DirtySet();
  /** Looks are made one at a time. */
  readonly #looks = new Mutex();
  #last: Inventory | undefined;
  /** What the client was told. */
  #told: Inventory | undefined;
  #plugs: { readonly isComplete?: boolean } | undefined;
  /** When another look would be one too many. */
  #freeMs = 0;
  /** When the whole host was last looked at. */
  #wholeMs = 0;
  /** Devices that are to be looked at again, and when. */
  #again: { readonly busid: Busid; readonly atMs: number }[] = [];
  readonly #silent = new Silent();
  #isStirred = false;
  #failure: unknown;
  #wake: () => void = () => undefined;

  constructor(host: Host, { signal, lookEveryMs = LOOK_EVERY_MS, details }: MonitorOptions = {}) {
    this.#host = host;
    this.#signal = signal;
    this.#details = details;
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
      ...(plugs ? [this.#openPlugs(plugs)] : []),
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

  /**
   * The host as it is now, whatever this process or others have just done: xenstored reports a change before it answers
   * what is asked afterwards, so one answer shows that all reports are here. Only what they are about is read again.
   * Undefined before the first look.
   *
   * @throws {PvusbError} of the host's group, `connection-lost` or `aborted`
   */
  async latest(options: LatestOptions = {}): Promise<Inventory | undefined> {
    if (!this.#last) return undefined;
    await this.#host.xenstore.readMany([LIBXL], options);
    // Reports that came with the answer are passed on in this turn; the kernel's events are read in the next one.
    await setImmediate();
    return this.#looks.run(async () => {
      const seen = await this.#observe();
      const silent = silentDevices(seen);
      if (options.storeOnly || (this.#isComplete && silent.length === 0)) return seen;
      // Of a driver that has changed nothing may have been reported.
      const call = { signal: options.signal, details: this.#details };
      const read = await this.#host.sysfs.devices(this.#isComplete ? { ...call, wanted: silent } : call);
      const devices = this.#isComplete ? readAgain(seen.devices, read) : read;
      // The same look as long as it is: another one would have the client called.
      if (isDeepStrictEqual(devices, seen.devices)) return seen;
      this.#last = { ...seen, devices };
      this.#wake();
      return this.#last;
    }, options.signal);
  }

  /** Calls the client soon, though nothing has happened to the host. */
  stir(): void {
    this.#isStirred = true;
    this.#wake();
  }

  /** Asks the client again when it is due, without a look. */
  dueAnew = (): void => this.#wake();

  /** Ends the monitor with an error. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** Whether devices and drivers, too, change only with a report. */
  get #isComplete(): boolean {
    return this.#plugs?.isComplete === true;
  }

  async #openPlugs(plugs: NonNullable<Host['plugs']>): Promise<Pick<Changes, 'next' | 'close'>> {
    const opened = await plugs();
    this.#plugs = opened;
    return opened;
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
      this.fail(error);
    }
  }

  /** A failed look is reported and repeated, for the whole host. */
  async #look(client: MonitorClient): Promise<void> {
    const before = this.#told;
    this.#isStirred = false;
    try {
      const inventory = await this.#looks.run(() => this.#observe());
      this.#told = inventory;
      this.#silent.seen(inventory, this.#host.clock.nowMs());
      const changes = before ? differences(before, inventory) : [];
      const atMs = this.#host.clock.nowMs() + DRIVERS_AFTER_MS;
      for (const change of this.#isComplete ? [] : changes) {
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

  /** Looks at what is dirty. */
  async #observe(): Promise<Inventory> {
    const before = this.#last;
    const call = { signal: this.#signal };
    const nowMs = this.#host.clock.nowMs();
    const isDue = nowMs >= this.#wholeDueMs;
    for (const { busid, atMs } of this.#again) if (atMs <= nowMs) this.#dirty.markDevice(busid);
    this.#again = this.#again.filter(({ atMs }) => atMs > nowMs);
    for (const busid of this.#silent.due(nowMs)) this.#dirty.markDevice(busid);
    if (before && !isDue && this.#dirty.isEmpty) return before;
    const dirty = this.#dirty.take(before);
    const isPart = before && !isDue && dirty !== 'everything';
    if (!isPart) this.#wholeMs = nowMs;
    try {
      this.#last = isPart
        ? await observeAgain(this.#host, before, dirty, { ...call, details: this.#details })
        : await observe(this.#host, { ...call, details: this.#details, rings: true });
      return this.#last;
    } catch (error) {
      // What was taken has not been looked at.
      this.#dirty.markEverything();
      throw error;
    }
  }

  /** When the whole host is to be looked at, whatever has been reported. */
  get #wholeDueMs(): number {
    return this.#isComplete ? Number.POSITIVE_INFINITY : this.#wholeMs + this.#lookEveryMs;
  }

  /** Until something happens or is due. */
  async #wait(client: MonitorClient): Promise<void> {
    // What is due `later` for as long as it is asked counts from when it was asked first.
    for (let dueMs = Number.POSITIVE_INFINITY; ; ) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#signal?.throwIfAborted();
      const nowMs = this.#host.clock.nowMs();
      const dues = [client.dueMs(nowMs) ?? [], this.#again[0]?.atMs ?? [], this.#silent.dueMs ?? []].flat();
      dueMs = Math.min(dueMs, this.#wholeDueMs, ...dues);
      const isCalm = this.#dirty.isEmpty && this.#last === this.#told && !this.#isStirred;
      if (!isCalm || dueMs <= nowMs) break;
      if (await this.#isOver(dueMs - nowMs)) break;
    }
    this.#signal?.throwIfAborted();
    await this.#takeTurn();
  }

  /** Events that come together lead to one look; a flood of them, to a look now and then. */
  async #takeTurn(): Promise<void> {
    const nowMs = this.#host.clock.nowMs();
    this.#freeMs = Math.max(this.#freeMs, nowMs - LOOKS_AT_ONCE * LOOK_MS) + LOOK_MS;
    if (this.#freeMs > nowMs) await this.#host.clock.sleep(this.#freeMs - nowMs, this.#signal);
    else await setImmediate();
  }

  /** Sleeps until something wakes it (false) or that time is over (true). */
  async #isOver(withinMs: number): Promise<boolean> {
    const woken = (limit: AbortSignal | undefined): Promise<boolean> =>
      new Promise((resolve) => {
        const end = (): void => {
          limit?.removeEventListener('abort', end);
          resolve(limit?.aborted ?? false);
        };
        this.#wake = end;
        limit?.addEventListener('abort', end, { once: true });
        if (limit?.aborted) end();
      });
    // No timer that nobody needs: an idle process sleeps.
    if (withinMs === Number.POSITIVE_INFINITY) return woken(this.#signal);
    return withDeadline(this.#host.clock, { withinMs, signal: this.#signal }, woken);
  }
}
