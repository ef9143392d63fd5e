/** What the tests of the QMP client share: a QEMU that is the test, and a clock that is the test. */
import type { Clock } from '../../src/async/index.js';
import {
  type JsonObject,
  type JsonValue,
  QmpClient,
  QmpError,
  type QmpOpenOptions,
  type QmpTransport,
  type QmpTransportEvents,
} from '../../src/qmp/index.js';

/** Lets everything that is queued happen. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** For `assert.rejects`: an error of the client with this code and operation. */
export function fails(code: string, operation?: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof QmpError &&
    error.code === code &&
    (operation === undefined || error.operation === operation);
}

/** QEMU's greeting, as 7.2.22 says it. */
export const GREETING =
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2"}, ' +
  '"capabilities": ["oob"]}}\r\n';

/** A command as it was sent. */
interface Sent {
  readonly execute: string;
  readonly arguments?: JsonObject;
  readonly id: string;
}

/** A QEMU that is the test: it keeps what is sent, and says what it is told to. */
export class FakeQemu implements QmpTransport {
  readonly sent: Sent[] = [];
  closed = false;
  #events: QmpTransportEvents | undefined;

  start(events: QmpTransportEvents): void {
    this.#events = events;
  }

  send(messages: Buffer): void {
    for (const line of messages.toString('utf8').trimEnd().split('\n')) this.sent.push(JSON.parse(line));
  }

  close(): void {
    this.closed = true;
  }

  /** Says bytes, or a text. */
  say(chunk: Buffer | string): void {
    this.#events?.bytes(Buffer.from(chunk));
  }

  /** Says one message. */
  tell(message: JsonValue): void {
    this.say(`${JSON.stringify(message)}\r\n`);
  }

  /** Answers a command. */
  answer(command: Sent, value: JsonValue = {}): void {
    this.tell({ return: value, id: command.id });
  }

  /** Answers a command with an error. */
  refuse(command: Sent, errorClass: string, desc: string): void {
    this.tell({ id: command.id, error: { class: errorClass, desc } });
  }

  /** Sends an event. */
  event(name: string, data: JsonObject = {}): void {
    this.tell({ timestamp: { seconds: 1_700_000_000, microseconds: 250_000 }, event: name, data });
  }

  /** Ends the connection. */
  die(cause?: Error): void {
    this.#events?.closed(cause);
  }

  /** The commands sent since the last look, once everything queued has happened. */
  async take(): Promise<Sent[]> {
    await settled();
    return this.sent.splice(0);
  }

  /** The only command sent since the last look. */
  async takeOne(): Promise<Sent> {
    const [only, ...more] = await this.take();
    if (!only || more.length > 0) throw new Error(`${more.length + (only ? 1 : 0)} commands instead of 1`);
    return only;
  }
}

/** A client of a {@link FakeQemu} that has greeted. */
export async function fakeClient(
  options?: QmpOpenOptions,
): Promise<{ readonly client: QmpClient; readonly qemu: FakeQemu }> {
  const qemu = new FakeQemu();
  const opening = QmpClient.open(qemu, options);
  await settled();
  qemu.say(GREETING);
  qemu.answer(await qemu.takeOne());
  return { client: await opening, qemu };
}

/** A clock that stands still until told to go on. */
export class ManualClock implements Clock {
  readonly #sleepers = new Set<{ readonly untilMs: number; wake(): void }>();
  #nowMs = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  /** Sleeps that have not ended; 0 when nothing leaks. */
  get sleepers(): number {
    return this.#sleepers.size;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { untilMs: this.#nowMs + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      });
    });
  }

  /** Lets time pass, and everything happen that follows from it. */
  async advance(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (const sleeper of this.#sleepers) {
      if (sleeper.untilMs > this.#nowMs) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
    await settled();
  }
}
