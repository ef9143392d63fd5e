/** The daemon: follows the host, does what rules say, and carries out what its doors ask for. */
import { type Clock, KeyedMutex, systemClock, unlessAborted, withDeadline } from '../async/index.js';
import {
  type Assignment,
  attachDevice,
  type Carry,
  type Host,
  type Inventory,
  isPvusbError,
  type OpenHost,
  type OperationOptions,
  observe,
  type Plan,
  PvusbError,
  type WatchEvent,
  watchDomains,
} from '../pvusb/index.js';
import { Events } from './events.js';
import { Recorder } from './recorder.js';
import { Requests, requireStill } from './requests.js';
import type { Actor, Asked, AskRequest, OperationRecord, Service, ServiceState } from './service.js';

/** What a daemon is made of. */
interface DaemonOptions {
  /** Opens the host; again after xenstored has gone away. */
  readonly open: (signal: AbortSignal) => Promise<OpenHost>;
  /** Called with each operation that has changed something, or was to. */
  readonly record?: ((record: OperationRecord) => void) | undefined;
  /** Called with what the watch reports. */
  readonly onWatch?: ((event: WatchEvent) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/** The daemon itself acts. */
const SELF: Actor = { name: 'daemon', via: 'daemon', role: 'admin' };

/** The pauses before xenstored is tried again: they double, up to the longest. */
const RETRY_MS = 250;
const RETRY_MAX_MS = 5_000;

/** How long a client waits for a daemon that starts: an xenstored that hangs answers nobody. */
const BEGIN_WITHIN_MS = 30_000;

/** Follows a host. All it knows it has read; killed and started again, it knows the same. */
export class Daemon implements Service {
  readonly events = new Events();
  readonly #options: DaemonOptions;
  readonly #clock: Clock;
  readonly #requests = new Requests();
  #state: ServiceState = 'starting';
  /** Why xenstored cannot be reached. */
  #why: PvusbError | undefined;
  #begin!: () => void;
  /** Resolves when the host, or why it cannot be reached, is known, or when this ends. */
  readonly #begun = new Promise<void>((resolve) => {
    this.#begin = resolve;
  });
  #host: Host | undefined;
  #signal: AbortSignal | undefined;
  #seen: Inventory | undefined;
  /** What has become of the assignments, to be compared. */
  #assigned: string | undefined;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get state(): ServiceState {
    return this.#state;
  }

  get requests(): readonly AskRequest[] {
    return this.#requests.waiting;
  }

  /** The host as it was last seen; undefined before that. */
  get seen(): Inventory | undefined {
    return this.#seen;
  }

  /** Runs until the signal aborts. While xenstored is gone, it waits for it. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    let pauseMs = RETRY_MS;
    while (!signal.aborted) {
      try {
        await using opened = await this.#options.open(signal);
        const host = { ...opened, deviceTurns: new KeyedMutex<string>() };
        await this.#watch(host, signal, () => {
          pauseMs = RETRY_MS;
        });
      } catch (error) {
        if (signal.aborted) break;
        this.#lose(error);
        await this.#clock.sleep(pauseMs, signal).catch(() => undefined);
        pauseMs = Math.min(2 * pauseMs, RETRY_MAX_MS);
      }
    }
    this.#begin();
  }

  async inventory(signal?: AbortSignal): Promise<Inventory> {
    const host = await this.#reached();
    return (await host.latest?.({ signal })) ?? observe(host, { signal });
  }

  async reading<T>(body: (host: Host) => Promise<T>): Promise<T> {
    return body(await this.#reached());
  }

  async operate<T>(asked: Asked, body: (host: Host, options: OperationOptions) => Promise<T>): Promise<T> {
    const host = await this.#reached();
    const { signal, dryRun } = asked;
    return this.#recorded(
      asked,
      (onStep) => body(host, { signal, dryRun, onStep }),
      // What was done is written down, whatever it was called.
      ({ hasSteps }) => !dryRun || hasSteps,
    );
  }

  async answer(
    id: string,
    isGranted: boolean,
    { onLook, ...asked }: Parameters<Service['answer']>[2],
  ): Promise<readonly Plan[]> {
    const request = this.requests.find((one) => one.id === id);
    if (!request)
      throw new PvusbError('no-such-request', `No request "${id}" is waiting; it may have been answered.`);
    const { busid, domid, rule } = request;
    const { devid, port } = this.#requests.placeOf(request);
    const whole: Asked = {
      ...asked,
      what: isGranted ? 'allow' : 'refuse',
      request,
      why: asked.why ?? `${rule} asks`,
    };
    const { plans } = await this.operate(whole, async (host, options) => {
      if (isGranted) {
        const call = { domain: domid, device: busid, devid, port };
        const looked = (seen: Inventory): void => {
          requireStill(seen, request);
          onLook?.(seen);
        };
        const { plan } = await attachDevice(host, call, { ...options, onLook: looked });
        return { plans: [plan] };
      }
      if (!asked.dryRun && this.#requests.refuse(id)) this.#tellRequests();
      return { plans: [] };
    });
    return plans;
  }

  async #reached(): Promise<Host> {
    // A client whose connection starts the daemon (systemd's socket activation) is there before the host is.
    if (this.#state === 'starting') await this.#beginning();
    if (this.#host) return this.#host;
    const sentence =
      this.#state === 'starting'
        ? 'The daemon is still waiting for an answer from xenstored.'
        : 'The daemon is not connected to xenstored.';
    throw this.#why ?? new PvusbError('xenstore-unreachable', sentence);
  }

  async #beginning(): Promise<void> {
    const begun = withDeadline(this.#clock, { withinMs: BEGIN_WITHIN_MS }, (late) =>
      unlessAborted(this.#begun, late),
    );
    await begun.catch(() => undefined);
  }

  async #watch(host: Host, signal: AbortSignal, onReady: () => void): Promise<void> {
    const before = this.#seen;
    await watchDomains(host, {
      signal,
      freesPorts: true,
      carry: this.#carry,
      onHost: (followed) => {
        this.#host = followed;
        this.#begin();
        onReady();
      },
      onSeen: ({ inventory, changes, isFirst }) => {
        this.#seen = inventory;
        // What has changed while xenstored was away: a listener looks at everything again.
        if (isFirst) this.#setState('ready');
        if (isFirst && before) this.events.tell({ event: 'renewed' });
        for (const change of changes) this.events.tell({ event: 'change', change });
      },
      onAssignments: (assignments) => {
        this.#tellAssignments(assignments);
        if (this.#seen && this.#requests.see(this.#seen, assignments)) this.#tellRequests();
      },
      onEvent: (watch) => {
        this.events.tell({ event: 'watch', watch });
        this.#options.onWatch?.(watch);
      },
    });
  }

  readonly #carry: Carry = (own, body) =>
    this.#recorded(
      { ...own, by: SELF },
      (onStep) => body({ signal: this.#signal, onStep }),
      // It looks at much that turns out to be in order.
      ({ hasSteps }) => hasSteps,
    );

  /** Carries out an operation, and tells its steps. When it has ended, it is recorded if it `counts`. */
  async #recorded<T>(
    asked: Asked,
    body: (onStep: Recorder['onStep']) => Promise<T>,
    counts: (recorder: Recorder) => boolean,
  ): Promise<T> {
    const recorder = new Recorder(asked, this.events);
    const end = (phase: 'done' | 'failed', outcome: Pick<OperationRecord, 'result' | 'error'>): void => {
      recorder.end(phase);
      if (counts(recorder)) this.#options.record?.(recorder.record(outcome));
    };
    try {
      const result = await body(recorder.onStep);
      end('done', { result });
      return result;
    } catch (error) {
      end('failed', { error });
      throw error;
    }
  }

  #lose(error: unknown): void {
    this.#host = undefined;
    this.#why = isPvusbError(error) ? error : undefined;
    this.#begin();
    if (this.#state === 'unreachable') return;
    this.#setState('unreachable');
    const why = error instanceof Error ? error.message : String(error);
    this.#options.onWatch?.({ event: 'trouble', why });
  }

  #setState(state: ServiceState): void {
    this.#state = state;
    this.events.tell({ event: 'state', state });
  }

  #tellAssignments(assignments: readonly Assignment[]): void {
    const now = JSON.stringify(
      assignments.map(({ rule, status, busid, domid }) => [rule.place, status, busid, domid]),
    );
    const before = this.#assigned;
    this.#assigned = now;
    if (before !== undefined && before !== now) this.events.tell({ event: 'assignments' });
  }

  #tellRequests(): void {
    this.events.tell({ event: 'requests', requests: this.requests });
  }
}
