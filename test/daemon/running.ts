/** A daemon on a host under test, with what it tells. */
import { Mutex } from '../../src/async/index.js';
import { Daemon } from '../../src/daemon/daemon.js';
import type { Actor, DaemonEvent, OperationRecord } from '../../src/daemon/service.js';
import type { Host, OpenHost, WatchEvent } from '../../src/pvusb/index.js';
import type { RuleFile } from '../../src/rules/index.js';
import type { XenstoreClient } from '../../src/xenstore/index.js';
import type { Lab } from '../core/support/test-host.js';
import { Plugs } from '../support/plugs.js';

/** Somebody who may do everything. */
export const ROOT: Actor = { name: 'root', via: 'unix', role: 'admin', uid: 0, gid: 0, pid: 1 };

/** Rules that a test changes. */
class TestRules {
  #files: readonly RuleFile[];
  #hear: () => void = () => undefined;
  readonly root = '/etc/pvusb';

  constructor(text: string) {
    this.#files = [{ path: 'assignments.conf', text }];
  }

  /** Replaces them, as an editor would. */
  set(text: string): void {
    this.#files = [{ path: 'assignments.conf', text }];
    this.#hear();
  }

  readonly read = async () => this.#files;
  readonly change = async () => undefined;
  readonly listen = (hear: () => void) => {
    this.#hear = hear;
    return () => undefined;
  };
}

/** A running daemon. */
export class Running implements AsyncDisposable {
  readonly daemon: Daemon;
  readonly rules: TestRules;
  readonly events: DaemonEvent[] = [];
  readonly watch: WatchEvent[] = [];
  readonly records: OperationRecord[] = [];
  readonly #abort = new AbortController();
  readonly #end: Promise<void>;
  #wake: () => void = () => undefined;
  /** How often something was told. */
  #woken = 0;
  #client: XenstoreClient | undefined;
  #left = Number.POSITIVE_INFINITY;
  /** Refuses connections while true. */
  isXenstoreGone = false;

  constructor(lab: Lab, rules = '', host: Partial<Host> = {}) {
    this.rules = new TestRules(rules);
    this.daemon = new Daemon({
      open: async () => {
        if (this.isXenstoreGone) throw new Error('xenstored does not answer');
        const client = await lab.connect();
        this.#client = client;
        return this.#open({ ...lab.host, ...host, xenstore: this.#mortal(client) }, lab);
      },
      record: (record) => this.records.push(record),
      onWatch: (event) => this.watch.push(event),
    });
    this.daemon.events.listen(({ event }) => {
      this.events.push(event);
      this.#stir();
    });
    this.#end = this.daemon.run(this.#abort.signal);
  }

  /** Counts what is written, in and outside of transactions. */
  #mortal(client: XenstoreClient): Host['xenstore'] {
    const count = (): void => {
      if (this.#left === 0 || --this.#left > 0) return;
      this.#left = 0;
      this.isXenstoreGone = true;
      client.close();
      this.#stir();
    };
    const counted = <T extends object>(nodes: T): T =>
      new Proxy(nodes, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name);
          if (typeof value !== 'function') return value;
          return (...args: unknown[]) => {
            if (['readMany', 'directoryMany', 'write', 'mkdir', 'rm'].includes(String(name))) count();
            if (name === 'transaction') {
              const [body, options] = args as [(inner: object) => unknown, unknown];
              return Reflect.apply(value, target, [(inner: object) => body(counted(inner)), options]);
            }
            return Reflect.apply(value, target, args);
          };
        },
      });
    return counted(client);
  }

  #open(host: Host, lab: Lab): OpenHost {
    const inFlight = new Set<Promise<unknown>>();
    const close = async (): Promise<void> => {
      await Promise.allSettled(inFlight);
      this.#client?.close();
    };
    return {
      ...host,
      plugs: async () => new Plugs(lab.sim, { drivers: true }),
      rules: this.rules,
      // What is dead undoes nothing.
      reopen: () => (this.isXenstoreGone ? Promise.reject(new Error('dead')) : lab.connect()),
      turns: new Mutex(),
      commits: new Mutex(),
      inFlight,
      close,
      [Symbol.asyncDispose]: close,
    };
  }

  /** xenstored goes away with all connections. */
  loseXenstore(): void {
    this.isXenstoreGone = true;
    this.#client?.close();
  }

  /** Dies after so many more requests, in the middle of whatever it does: nothing is undone. */
  killAfter(requests: number): void {
    this.#left = requests;
  }

  /** It is dead. */
  get isKilled(): boolean {
    return this.#left === 0;
  }

  #stir(): void {
    this.#woken++;
    this.#wake();
  }

  /** Waits until something holds, which is looked at after each event. */
  async until(holds: () => boolean | Promise<boolean>): Promise<void> {
    for (;;) {
      const before = this.#woken;
      if (await holds()) return;
      // What was told while it was being looked at is looked at again.
      if (this.#woken !== before) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Waits until the watch has reported something so many times. */
  times(kind: WatchEvent['event'], count = 1): Promise<void> {
    return this.until(() => this.watch.filter(({ event }) => event === kind).length >= count);
  }

  /** Waits until it has looked at the host. */
  ready(): Promise<void> {
    return this.until(
      () => this.daemon.state === 'ready' && this.watch.some(({ event }) => event === 'watching'),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new Error('stopped'));
    await this.#end;
  }
}
