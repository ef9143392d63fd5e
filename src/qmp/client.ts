/** The QMP client: opens a monitor when it is our turn, executes commands, waits for events. */
import { type Clock, DeadlineError, systemClock, unlessAborted, withDeadline } from '../async/index.js';
import { isQmpError, QmpError } from './errors.js';
import { Session, type Waiting, type WaitingCommand } from './session.js';
import { connectSocket } from './socket.js';
import type { QmpTransport } from './transport.js';
import type { JsonObject, JsonValue, QemuVersion, QmpEvent } from './wire.js';

/** Default time limit of a call, in milliseconds; libxl has the same for QMP. */
export const DEFAULT_WITHIN_MS = 10_000;

/** Pause before the socket is tried again when too many are waiting for it, in milliseconds. */
const RETRY_MS = 50;

/** Options of a call. */
export interface QmpCallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; 10,000 unless given. */
  readonly withinMs?: number | undefined;
}

/** Options of {@link QmpClient.open}. */
export interface QmpOpenOptions extends QmpCallOptions {
  readonly clock?: Clock | undefined;
}

/** An event that is awaited from the moment this was created. Dispose of it when it is no longer needed. */
export interface ExpectedEvent extends Disposable {
  /** Never an unhandled rejection, even when nobody awaits it. */
  readonly arrived: Promise<QmpEvent>;
}

/** What a QEMU can be asked. */
export interface QmpCommands {
  /** See {@link QmpClient.execute}. */
  execute(command: string, args?: JsonObject, options?: QmpCallOptions): Promise<JsonValue>;
  /** See {@link QmpClient.expectEvent}. */
  expectEvent(name: string, matches?: (data: JsonObject) => boolean, options?: QmpCallOptions): ExpectedEvent;
}

/**
 * A client of a QEMU monitor. Hold it only for a moment: QEMU serves one client at a time, and while we are connected
 * libxl waits. Every call rejects with {@link QmpError}, or with the reason of its signal.
 */
export class QmpClient implements QmpCommands, AsyncDisposable {
  /** What QEMU says it is. */
  readonly version: QemuVersion;
  readonly #session: Session;
  readonly #clock: Clock;

  private constructor(session: Session, version: QemuVersion, clock: Clock) {
    this.#session = session;
    this.version = version;
    this.#clock = clock;
  }

  /**
   * Connects to the socket at this path (or takes a transport that has not been started), waits until QEMU greets and
   * negotiates. While another client is connected the kernel accepts a connection, but QEMU greets only after that
   * client has left: so waiting for the greeting is waiting for our turn.
   *
   * @throws {QmpError} `unreachable`; `busy` when no greeting came within the limit: another client holds the monitor,
   *   or QEMU is stopped; `timeout` when QEMU greeted and was then silent: it hangs (the greeting comes from a thread
   *   of its own); `connection-lost`; `protocol`. In all cases nothing has been changed, and nothing stays open.
   */
  static async open(target: string | QmpTransport, options: QmpOpenOptions = {}): Promise<QmpClient> {
    const { clock = systemClock, signal, withinMs = DEFAULT_WITHIN_MS } = options;
    const opened: { session?: Session } = {};
    try {
      return await withDeadline(clock, { withinMs, signal }, async (limit) => {
        const transport = typeof target === 'string' ? await connectInTurn(target, clock, limit) : target;
        const session = new Session(transport);
        opened.session = session;
        const version = await unlessAborted(session.greeting, limit);
        await unlessAborted(session.submit('qmp_capabilities', undefined).promise, limit);
        return new QmpClient(session, version, clock);
      });
    } catch (error) {
      opened.session?.close();
      if (!isOwnDeadline(error, signal)) throw error;
      if (opened.session?.greeted)
        throw new QmpError('timeout', 'qmp_capabilities', `no answer within ${withinMs} ms`);
      const detail = `not our turn within ${withinMs} ms: another program uses this QEMU, or it is stopped`;
      throw new QmpError('busy', 'connect', detail);
    }
  }

  /** Commands and events that are awaited; 0 when nothing leaks. */
  get pendingCount(): number {
    return this.#session.pendingCount;
  }

  /** True once the connection has ended; every later call fails with the error that ended it. */
  get closed(): boolean {
    return this.#session.closed !== undefined;
  }

  /**
   * Executes a command and gives what it returns. At most 8 are in flight, others wait here; QEMU carries them out in
   * order.
   *
   * @throws {QmpError} `refused`; `timeout` and `connection-lost`, after which the outcome is not known; `protocol`
   * @throws {TypeError} when a text in `args` holds a NUL or half a surrogate pair
   */
  async execute(command: string, args?: JsonObject, options: QmpCallOptions = {}): Promise<JsonValue> {
    options.signal?.throwIfAborted();
    const waiting: WaitingCommand = this.#session.submit(command, args);
    return this.#within(waiting, options, command, () =>
      waiting.sent ? 'it may still be carried out' : 'it was not sent',
    );
  }

  /**
   * Waits for the first event of this name, from now on, whose data `matches`. If it is made before the command that
   * causes the event, nothing is missed:
   *
   *     using deleted = client.expectEvent('DEVICE_DELETED', ({ device }) => device === id);
   *     await client.execute('device_del', { id });
   *     await deleted.arrived;
   *
   * What `arrived` rejects with: {@link QmpError} `timeout`, `connection-lost` or `protocol`, the signal's reason,
   * what `matches` throws, or an AbortError when it was disposed of.
   */
  expectEvent(
    name: string,
    matches: (data: JsonObject) => boolean = () => true,
    options: QmpCallOptions = {},
  ): ExpectedEvent {
    const waiting = this.#session.expect(name, matches);
    const arrived = this.#within(waiting, options, `event ${name}`, () => 'it may still come');
    arrived.catch(() => undefined);
    return { arrived, [Symbol.dispose]: () => waiting.abandon() };
  }

  /** Ends the connection: whatever is pending fails with `connection-lost`. Idempotent. */
  close(): void {
    this.#session.close();
  }

  /** As {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  async #within<T>(
    waiting: Waiting<T>,
    { signal, withinMs = DEFAULT_WITHIN_MS }: QmpCallOptions,
    operation: string,
    consequence: () => string,
  ): Promise<T> {
    try {
      return await withDeadline(this.#clock, { withinMs, signal }, (limit) =>
        unlessAborted(waiting.promise, limit),
      );
    } catch (error) {
      if (!isOwnDeadline(error, signal)) throw error;
      throw new QmpError('timeout', operation, `nothing came within ${withinMs} ms; ${consequence()}`);
    } finally {
      waiting.abandon();
    }
  }
}

/** Our own time limit, not one behind the caller's signal. */
function isOwnDeadline(error: unknown, signal: AbortSignal | undefined): boolean {
  return error instanceof DeadlineError && !(signal?.aborted && signal.reason === error);
}

async function connectInTurn(path: string, clock: Clock, limit: AbortSignal): Promise<QmpTransport> {
  for (;;) {
    try {
      return await connectSocket(path, limit);
    } catch (error) {
      if (!isQmpError(error, 'busy')) throw error;
    }
    await clock.sleep(RETRY_MS, limit);
  }
}
