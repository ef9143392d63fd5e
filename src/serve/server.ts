/** The backend as a process: follows xenstore, and serves every controller of type pv that domain 0 has. */
import { type Clock, systemClock } from '../async/index.js';
import { Blocks } from '../backend/blocks.js';
import { Budget, type Limits } from '../backend/budget.js';
import { DEFAULT_RULES, type FirewallRule } from '../backend/firewall.js';
import { formatMetrics } from '../backend/metrics.js';
import type { Trace } from '../backend/tracer.js';
import { PvusbError } from '../pvusb/index.js';
import { BACKEND_ANNOUNCEMENT, backendsPath, parseNumber, sortedNumbers } from '../pvusb/model/layout.js';
import type { Watch, XenstoreClient } from '../xenstore/index.js';
import { ControllerServer } from './controller-server.js';
import type { Machine } from './machine.js';
import { messageOf } from './port-server.js';
import type { Home } from './recorded.js';
import type { Shared } from './shared.js';

/** How a backend serves. */
interface ServerOptions {
  /** Says that it is there: see `openProcesses` of pvusb/hostuse. Undefined: not even this process can be told. */
  readonly announcement: string | undefined;
  /** Whether what another backend has announced is a process that lives. */
  readonly isAlive: (announcement: string) => Promise<boolean>;
  /** Where devices are given back to their drivers. */
  readonly sysfs: Home['sysfs'];
  readonly limits?: Limits | undefined;
  readonly clock?: Clock | undefined;
  /** Before the usual rules. */
  readonly rules?: readonly FirewallRule[] | undefined;
  readonly trace?: Trace | undefined;
  /** The virtual devices of the command line. */
  readonly virtual?: Shared['virtual'] | undefined;
  readonly log: (message: string) => void;
}

const ROOT = backendsPath('vusb');

/** A running backend. */
export class BackendServer {
  readonly #shared: Shared;
  readonly #options: ServerOptions;
  readonly #controllers = new Map<string, ControllerServer>();
  readonly #watches: Watch[] = [];
  #running: Promise<unknown> = Promise.resolve();

  private constructor(client: XenstoreClient, machine: Machine, options: ServerOptions) {
    const { sysfs, limits, clock = systemClock, rules = [], trace, virtual, log } = options;
    this.#options = options;
    this.#shared = {
      client,
      home: { xenstore: client, sysfs },
      machine,
      blocks: new Blocks(machine.memory),
      budget: new Budget(limits),
      rules: [...rules, ...DEFAULT_RULES],
      clock,
      virtual: virtual ?? (() => undefined),
      tracer: (domid) => trace?.of(domid),
      released: () => void this.plugged(),
      log,
    };
  }

  /**
   * Starts serving: what exists is served, or taken over, when this resolves.
   *
   * @throws {PvusbError} `backend-impossible`: another backend serves this host, or it cannot be told whether one does
   */
  static async start(
    client: XenstoreClient,
    machine: Machine,
    options: ServerOptions,
  ): Promise<BackendServer> {
    const server = new BackendServer(client, machine, options);
    await server.#announce();
    const [controllers, deaths] = await Promise.all([client.watch(ROOT), client.watch('@releaseDomain')]);
    server.#watches.push(controllers, deaths);
    await Promise.all(await server.#lookAt([ROOT]));
    server.#running = Promise.all([
      server.#follow(controllers, (paths) => server.#lookAt(paths)),
      server.#follow(deaths, () => server.#lookForDeaths()),
    ]);
    return server;
  }

  /** Before anything is touched: two backends would take each other's guests. */
  async #announce(): Promise<void> {
    const { announcement, isAlive } = this.#options;
    if (announcement === undefined) {
      // Nobody would see it, and a second one would start beside it.
      throw new PvusbError('backend-impossible', 'The processes of this host cannot be read in /proc.');
    }
    await this.#shared.client.transaction(async (view) => {
      const other = await view.read(BACKEND_ANNOUNCEMENT);
      if (other !== undefined && other !== announcement && (await isAlive(other))) {
        const sentence = `Process ${other.split(' ')[0]} serves the controllers of this host already.`;
        throw new PvusbError('backend-impossible', sentence);
      }
      await view.write(BACKEND_ANNOUNCEMENT, announcement);
    });
  }

  /** Resolves when the connection to xenstored is lost, or the server was closed. */
  get ended(): Promise<unknown> {
    return this.#running;
  }

  /** What comes of a look is not waited for: the device of one guest must not keep the others. */
  async #follow(watch: Watch, look: (paths: readonly string[]) => Promise<unknown>): Promise<void> {
    try {
      for await (const paths of watch) await look(paths);
    } catch (error) {
      if (!this.#shared.client.closed) throw error;
    }
  }

  /** @returns what resolves as each controller has been looked at */
  async #lookAt(paths: readonly string[]): Promise<Promise<void>[]> {
    const named = new Set<string>();
    let isVague = false;
    for (const path of paths) {
      const [domid, devid] = path.slice(ROOT.length + 1).split('/');
      if (domid && devid) named.add(`${domid}/${devid}`);
      else isVague = true;
    }
    if (isVague) for (const key of [...(await this.#existing()), ...this.#controllers.keys()]) named.add(key);
    return [...named].map((key) => this.#lookAtOne(key));
  }

  async #existing(): Promise<string[]> {
    const { client } = this.#shared;
    const domids = sortedNumbers(await client.directory(ROOT));
    const devids = await client.directoryMany(domids.map((domid) => `${ROOT}/${domid}`));
    return domids.flatMap((domid, at) => sortedNumbers(devids[at]).map((devid) => `${domid}/${devid}`));
  }

  async #lookAtOne(key: string): Promise<void> {
    const [domid, devid] = key.split('/').map(parseNumber);
    if (domid === undefined || devid === undefined) return;
    for (;;) {
      const known = this.#controllers.get(key);
      const server = known ?? new ControllerServer(this.#shared, domid, devid);
      this.#controllers.set(key, server);
      await server.look();
      if (!server.isGone) return;
      if (this.#controllers.get(key) === server) this.#controllers.delete(key);
      // The one that has ended does not look again, though its directory may have been made anew since.
      if (!known) return;
    }
  }

  async #lookForDeaths(): Promise<unknown> {
    const { client, log } = this.#shared;
    const served = [...this.#controllers.values()].filter(({ engine }) => engine);
    const alive = await Promise.all(served.map(({ domid }) => client.isIntroduced(domid)));
    const dead = served.filter((_, at) => !alive[at]);
    return dead.map((one) => one.domainDied().catch((error: unknown) => log(messageOf(error))));
  }

  /** Something was plugged in, pulled out or released: ports whose devices were missing are looked at again. */
  async plugged(): Promise<void> {
    await Promise.all([...this.#controllers.values()].map((controller) => controller.look(true)));
  }

  /** The counters of all controllers, in Prometheus' text format. */
  get metrics(): string {
    const engines = [...this.#controllers.values()].flatMap(({ domid, devid, engine }) =>
      engine ? { domid, devid, counters: engine.counters } : [],
    );
    return formatMetrics(engines);
  }

  /** Stops following. Guests stay connected: the next backend takes them over. */
  async close(): Promise<void> {
    const { client } = this.#shared;
    if (client.closed) return;
    const announced = await client.read(BACKEND_ANNOUNCEMENT);
    if (announced === this.#options.announcement) await client.rm(BACKEND_ANNOUNCEMENT);
    await Promise.all(this.#watches.map((watch) => watch.close()));
  }
}
