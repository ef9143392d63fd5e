/** A whole host to try the operations on, with the simulated store or a real daemon, and ways to inspect it. */
import assert from 'node:assert/strict';
import { type Clock, systemClock } from '../../../src/async/index.js';
import {
  addController,
  attachDevice,
  doctor,
  type Host,
  isPvusbError,
  type PvusbError,
  type PvusbErrorCode,
} from '../../../src/pvusb/index.js';
import { labWorld, type Manner, SimHost, type World, type WorldController } from '../../../src/sim/index.js';
import { Sysfs } from '../../../src/sysfs/index.js';
import { connectSocket, XenstoreClient } from '../../../src/xenstore/index.js';
import { clientStore } from '../../support/client-store.js';
import { Plugs } from '../../support/plugs.js';
import { qemusOf } from '../../support/qemus.js';
import { type Daemon, type DaemonKind, startDaemon } from '../../xenstored/daemon.js';
import {
  checkInvariants,
  compareWorlds,
  type Drivers,
  driversOf,
  type Snapshot,
  snapshotOf,
} from './invariants.js';

/** What a host is made of. */
export interface LabOptions {
  /** By default the recorded one. */
  readonly world?: World;
  readonly usbback?: Manner;
}

/** A request that is refused. */
export interface Refusal {
  readonly code: PvusbErrorCode;
  readonly says: readonly string[];
  act(lab: Lab): Promise<unknown>;
}

/** Opens a host on one of the stores. */
export type OpenLab = (options?: LabOptions) => Promise<Lab>;

/** What differs between the stores. */
interface Ground {
  /** The daemon's, for other processes. */
  readonly socket?: string;
  readonly sim: SimHost;
  connect(): Promise<XenstoreClient>;
  dump(): Promise<string>;
  close(): Promise<void>;
}

/** A host under test. */
export class Lab implements AsyncDisposable {
  readonly sim: SimHost;
  readonly host: Host;
  /** The drivers of all interfaces at the beginning. */
  readonly natural: Drivers;
  readonly #client: XenstoreClient;
  readonly #ground: Ground;

  #hasty = false;

  private constructor(ground: Ground, client: XenstoreClient) {
    this.#ground = ground;
    this.#client = client;
    this.sim = ground.sim;
    this.natural = driversOf(ground.sim.usb);
    const isShort = (ms: number): boolean => !this.#hasty || ms < 1000;
    // A long wait that has ended at once is over for everybody.
    let aheadMs = 0;
    const nowMs = (): number => systemClock.nowMs() + aheadMs;
    const clock: Clock = {
      nowMs,
      async sleep(ms, signal) {
        const untilMs = nowMs() + ms;
        await systemClock.sleep(isShort(ms) ? ms : 5, signal);
        aheadMs += Math.max(0, untilMs - nowMs());
      },
    };
    const sysfs = new Sysfs(ground.sim.usb.files, clock);
    const qemu = qemusOf(ground.sim, clock);
    const plugs = async () => new Plugs(ground.sim);
    this.host = { xenstore: client, sysfs, qemu, clock, plugs, reopen: () => ground.connect() };
  }

  static async on(ground: Ground): Promise<Lab> {
    return new Lab(ground, await ground.connect());
  }

  /** From now on long waits end at once: for what will not come. */
  beHasty(): void {
    this.#hasty = true;
  }

  /** Waits have their real length again. */
  bePatient(): void {
    this.#hasty = false;
  }

  /** The store as `xenstore-ls -fp` shows it, when guests and drivers have nothing left to do. */
  async dump(): Promise<string> {
    await this.sim.idle();
    return this.#ground.dump();
  }

  /** The store at this moment. */
  dumpNow(): Promise<string> {
    return this.#ground.dump();
  }

  /** The socket of a real daemon. */
  get socket(): string | undefined {
    return this.#ground.socket;
  }

  async snapshot(): Promise<Snapshot> {
    return snapshotOf({ dump: await this.dump(), usb: this.sim.usb });
  }

  /** A node's value. */
  read(path: string): Promise<string | undefined> {
    return this.#client.read(path);
  }

  /** Writes as another toolstack would. */
  write(path: string, value: string): Promise<void> {
    return this.#client.write(path, value);
  }

  rm(path: string): Promise<void> {
    return this.#client.rm(path);
  }

  /** The driver of an interface. */
  driver(intf: string): string | undefined {
    return this.sim.usb.driverOf(intf);
  }

  /** The drivers of a device's interfaces. */
  driversAt(busid: string): (string | undefined)[] {
    return this.sim.usb.device(busid)!.interfaces.map(({ driver }) => driver);
  }

  /** What the doctor finds. */
  async found(): Promise<string[]> {
    const { findings } = await doctor(this.host, { settleMs: 0 });
    return findings.map(({ finding }) => finding);
  }

  /** A separate connection, closed by the caller. */
  connect(): Promise<XenstoreClient> {
    return this.#ground.connect();
  }

  /** Fails unless each is refused with its code, in a sentence that contains all of `says`, and nothing is changed. */
  async refuses(refusals: readonly Refusal[]): Promise<void> {
    const before = await this.snapshot();
    for (const { code, says, act } of refusals) {
      const error = await failure(() => act(this));
      assert.equal(error.code, code, error.message);
      assertSentence(error.message, says);
    }
    assert.deepEqual(compareWorlds(before, await this.snapshot()), []);
  }

  /** Adds a controller, and returns its number. */
  async add(domain: number, ports?: number): Promise<number> {
    return (await addController(this.host, { domain, ports })).result.devid;
  }

  /** Attaches where the product chooses, and returns the place as `domid/devid/port`. */
  async attach(domain: number, device: string, place: { devid?: number; port?: number } = {}) {
    const { result } = await attachDevice(this.host, { domain, device, ...place });
    return `${result.domid}/${result.devid}/${result.port}`;
  }

  /** Fails unless the host is sound, and the product has released everything. */
  async assertSound(): Promise<void> {
    const qemus = this.sim.qemus.values();
    const state = { dump: await this.dump(), usb: this.sim.usb, natural: this.natural, qemus };
    assert.deepEqual(checkInvariants(state), []);
    this.assertNothingLeaks();
  }

  /** I7. */
  assertNothingLeaks(): void {
    assert.equal(this.#client.pendingCount, 0, 'replies that nobody waited for');
    assert.equal(this.#client.watchCount, 0, 'watches that nobody closed');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.#ground.close();
  }
}

/** A host on the in-memory store. */
export const openSimulated: OpenLab = async (options = {}) => {
  const { usbback } = options;
  const sim = await SimHost.create(options.world ?? labWorld(), usbback === undefined ? {} : { usbback });
  return Lab.on({
    sim,
    connect: async () => new XenstoreClient(sim.store.connect(0)),
    dump: async () => sim.store.dump(),
    close: () => sim.close(),
  });
};

/** Daemons that a host was on, cleared. */
const free: Record<DaemonKind, Daemon[]> = { c: [], o: [] };

/** A host on one of Debian's daemons; its guests have their own sockets, with a guest's rights. */
export function openOnDaemon(kind: DaemonKind): OpenLab {
  return async (options = {}) => {
    const daemon = free[kind].pop() ?? (await startDaemon(kind));
    const clients: XenstoreClient[] = [];
    const connect = async (socket = daemon.socket): Promise<XenstoreClient> => {
      const client = new XenstoreClient(await connectSocket(socket));
      clients.push(client);
      return client;
    };
    const guests = new Map<number, string>();
    const store = {
      dom0: clientStore(await connect()),
      guest: async (domid: number) => clientStore(await connect(guests.get(domid)!)),
      introduce: async (domid: number) => {
        guests.set(domid, (await daemon.guest(domid)).socket);
      },
      release: (domid: number) => daemon.kill(domid),
    };
    const { usbback } = options;
    const sim = await SimHost.onStore(
      options.world ?? labWorld(),
      store,
      usbback === undefined ? {} : { usbback },
    );
    const ground: Ground = {
      sim,
      socket: daemon.socket,
      connect: () => connect(),
      dump: () => daemon.dump(),
      close: async () => {
        await sim.close();
        for (const client of clients) client.close();
        await daemon.clear();
        free[kind].push(daemon);
      },
    };
    return Lab.on(ground);
  };
}

/** What `act` fails with; anything but an error from the product's table is a bug. */
export async function failure(act: () => Promise<unknown>): Promise<PvusbError> {
  try {
    await act();
  } catch (error) {
    if (isPvusbError(error) && error.code !== 'internal') return error;
    throw error;
  }
  throw new assert.AssertionError({ message: 'it succeeded' });
}

/** A message for people: sentences that contain all of `says`. */
export function assertSentence(message: string, says: readonly string[] = []): void {
  assert.match(message, /^\S.*[^.]\.$/s, message);
  for (const words of says) assert.ok(message.includes(words), `"${message}" does not say "${words}"`);
}

/** A controller of a world: pv, two ports, connected by the drivers when the world begins. */
export function controllerOf(
  controller: Pick<WorldController, 'domid' | 'devid'> & Partial<WorldController>,
): WorldController {
  return {
    type: 'pv',
    version: 2,
    portCount: 2,
    backendDomid: 0,
    backendState: 1,
    frontendState: 1,
    online: true,
    ports: new Map(),
    ...controller,
  };
}

/** The recorded world with controllers. */
export function labWith(...controllers: readonly WorldController[]): World {
  return { ...labWorld(), controllers };
}
