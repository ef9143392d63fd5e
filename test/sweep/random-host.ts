/**
 * A host on which several programs, a hostile guest, people plugging devices and random faults are at work at once.
 */
import assert from 'node:assert/strict';
import {
  addController,
  attachDevice,
  detachDevice,
  doctor,
  type Host,
  PvusbError,
  removeController,
} from '../../src/pvusb/index.js';
import { pick, seededRandom } from '../../src/sim/actors/random.js';
import type { QmpFate, SimHost, StoreFate, StoreRequest } from '../../src/sim/index.js';
import { Sysfs } from '../../src/sysfs/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';
import { MessageType } from '../../src/xenstore/wire.js';
import { driversOf } from '../core/support/invariants.js';
import { qemusOf } from '../support/qemus.js';
import { repair } from './afterwards.js';
import { commit, type Stage } from './events.js';
import { fileFailure } from './faulty-userdata.js';
import { invariantsOf, NO_CONFIGURATION, savedViolationsNow } from './invariants-of.js';
import { type Kind, kindOf } from './random-kinds.js';
import { Rival } from './rival.js';
import { type Gate, SavedFiles, SimUserdata } from './saved-files.js';
import { ending, ManualClock } from './settle.js';
import { smallWorld } from './worlds.js';

Error.stackTraceLimit = 3;

/** Probability that a request goes wrong, on hosts with random faults. */
const BAD_LUCK = 0.004;

/** The same for commands to a QEMU, and for what is done with saved configurations: there are fewer of them. */
const BAD_QMP_LUCK = 0.02;
const BAD_FILE_LUCK = 0.02;

const BROKEN = '{ "usbctrls": [';

const DEVICES = ['1-1', '2-1', '3-6', '3-7', '3-8'];

/** A seed decides what happens on such a host. */
export class Turmoil {
  readonly #random: () => number;
  readonly #clock = new ManualClock();
  readonly #kind: Kind;
  readonly #badLuck: number;
  readonly #seed: number;
  readonly #replugged = new Set<string>();
  #activity = 0;
  #wrong: string[] = [];

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
    this.#kind = kindOf(seed, this.#random);
    this.#badLuck = this.#kind.withBadLuck ? BAD_LUCK : 0;
  }

  /** Runs everything; returns the number of the product's operations. Throws what is wrong at the end, or before. */
  async run(): Promise<number> {
    const sim = await smallWorld({ type: this.#kind.type, lent: { 1: '2-1' }, seed: this.#seed });
    const natural = new Map(driversOf(sim.usb)).set('2-1:1.0', 'usbhid');
    const files = SavedFiles.of(sim);
    if (this.#kind.fileOfTwo !== 'whole')
      files.put(2, this.#kind.fileOfTwo === 'none' ? undefined : Buffer.from(BROKEN));
    sim.store.intercept = (request) => this.#fate(sim, request);
    for (const qemu of sim.qemus.values()) qemu.intercept = () => this.#qmpFate();
    const actors = [this.#client(sim), this.#client(sim), this.#people(sim)];
    if (this.#kind.withRival) actors.push(this.#rival(sim));
    const end = await ending(Promise.all(actors), this.#clock, () => this.#activity);
    if (end.how === 'failed') throw end.error;
    assert.equal(end.how, 'done', 'something hung');
    delete sim.store.intercept;
    for (const qemu of sim.qemus.values()) qemu.intercept = undefined;
    for (const qemu of sim.qemus.values()) for (const busid of DEVICES) qemu.refuseOpen(busid, false);
    sim.usb.clearFaults();
    await sim.idle();
    const { failures } = await repair(sim, this.#kind.withRival);
    // A rival saves no driver for an interface that has none at the moment.
    const violations = await invariantsOf(sim, this.#kind.withRival ? undefined : natural);
    const isAsBroken = String(files.get(2)) === BROKEN;
    const wrong = violations.filter((line) => !(isAsBroken && NO_CONFIGURATION.test(line)));
    const { openConnections, openTransactions } = sim.store;
    await sim.close();
    assert.deepEqual([...this.#wrong, ...failures, ...wrong], []);
    assert.deepEqual({ openConnections, openTransactions }, { openConnections: 0, openTransactions: 0 });
    return end.value.reduce((sum, count) => sum + count, 0);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  /** Random faults: an errno, a connection lost before or after, a late answer. */
  #fate(sim: SimHost, { type }: StoreRequest): StoreFate {
    this.#activity++;
    if (!this.#chance(this.#badLuck)) return 'pass';
    const roll = this.#random();
    if (roll < 0.3) return 'drop-connection';
    if (roll < 0.5) return 'drop-after';
    const ends = type === MessageType.transactionEnd || type === MessageType.unwatch;
    return ends || sim.store.openConnections === 0
      ? 'pass'
      : { error: pick(this.#random, ['EIO', 'ENOSPC', 'EBUSY']) };
  }

  /** The same for a QEMU: it refuses, hangs, hangs up, and rarely dies. */
  #qmpFate(): QmpFate {
    this.#activity++;
    if (!this.#chance(this.#badLuck > 0 ? BAD_QMP_LUCK : 0)) return 'pass';
    const roll = this.#random();
    if (roll < 0.05) return 'die';
    if (roll < 0.2) return { error: 'something is wrong' };
    return pick(this.#random, ['hang', 'act-but-hang', 'drop', 'act-but-drop']);
  }

  /** The same for a saved configuration. */
  readonly #fileGate: Gate = async (call, act) => {
    this.#activity++;
    const isSpared = call.what === 'unlock' || !this.#chance(this.#badLuck > 0 ? BAD_FILE_LUCK : 0);
    if (isSpared) return act();
    throw fileFailure(pick(this.#random, ['EIO', 'ENOSPC', 'EACCES']), call);
  };

  async #pause(): Promise<void> {
    for (let turns = this.#below(4); turns > 0; turns--)
      await new Promise((resolve) => setImmediate(resolve));
  }

  /** One of our programs: one operation after another, each on a connection of its own. */
  async #client(sim: SimHost): Promise<number> {
    const count = 6 + this.#below(8);
    for (let i = 0; i < count; i++) {
      await this.#pause();
      await this.#operation(sim);
    }
    return count;
  }

  async #operation(sim: SimHost): Promise<void> {
    const clients: XenstoreClient[] = [];
    const open = (): XenstoreClient => {
      const client = new XenstoreClient(sim.store.connect(0), { clock: this.#clock, random: () => 0 });
      clients.push(client);
      return client;
    };
    const sysfs = new Sysfs(sim.usb.files, this.#clock);
    const qemu = qemusOf(sim, this.#clock);
    const userdata = new SimUserdata(SavedFiles.of(sim), this.#fileGate);
    const [clock, reopen] = [this.#clock, async () => open()];
    const host: Host = { xenstore: open(), sysfs, qemu, clock, userdata, reopen };
    const abort = new AbortController();
    if (this.#chance(0.1)) void this.#pause().then(() => abort.abort(new Error('interrupted')));
    try {
      await this.#anything(host, abort.signal);
    } catch (error) {
      const known = error instanceof PvusbError && error.code !== 'internal';
      if (!known) this.#wrong.push(`an operation threw ${String(error)}`);
    }
    // What was asked together with what failed has been answered by now.
    await new Promise((resolve) => setImmediate(resolve));
    for (const client of clients) {
      if (client.pendingCount + client.watchCount > 0)
        this.#wrong.push('I7: an operation left something open');
      client.close();
    }
    if (userdata.lockCount > 0) this.#wrong.push('I7: an operation left a lock');
    userdata.end();
    if (this.#kind.withRival) return;
    // Random faults and rivals leave what the doctor corrects at the end.
    if (this.#badLuck === 0) this.#wrong.push(...savedViolationsNow(sim, this.#replugged));
    const claims = await invariantsOf(sim);
    this.#wrong.push(...claims.filter((line) => line.startsWith('I1')));
  }

  #anything(host: Host, signal: AbortSignal): Promise<unknown> {
    const [domain, devid, port] = [1 + this.#below(2), this.#below(2), 1 + this.#below(2)];
    const device = pick(this.#random, DEVICES);
    const options = { signal };
    const roll = this.#random();
    if (roll < 0.3) return attachDevice(host, { domain, device }, options);
    if (roll < 0.45) return attachDevice(host, { domain, device, devid, port }, options);
    if (roll < 0.65) return detachDevice(host, { device }, options);
    if (roll < 0.75) return detachDevice(host, { domain, devid, port }, options);
    if (roll < 0.83) {
      // An EHCI, which is made unless another one is asked for, has six ports.
      const ports = this.#kind.type === 'devicemodel' ? {} : { ports: port };
      return addController(host, { domain, ...ports }, options);
    }
    if (roll < 0.95) return removeController(host, { domain, devid, destroy: this.#chance(0.5) }, options);
    return doctor(host, { fix: true, signal });
  }

  /** Devices are pulled and plugged, guests are hostile and die, drivers refuse. */
  async #people(sim: SimHost): Promise<number> {
    const pulled: Parameters<SimHost['plug']>[0][] = [];
    for (let i = 4 + this.#below(6); i > 0; i--) {
      await this.#pause();
      const busid = pick(this.#random, DEVICES);
      const roll = this.#random();
      const spec = sim.usb.device(busid)?.spec;
      if (roll < 0.3 && spec) {
        await sim.unplug(busid);
        pulled.push({
          ...spec,
          interfaces: spec.interfaces.map(({ number, classes }) => ({ number, classes })),
        });
      } else if (roll < 0.6) {
        const back = pulled.pop();
        if (back) {
          this.#replugged.add(back.busid);
          await sim.plug(back);
        }
      } else if (roll < 0.85) {
        const domid = 1 + this.#below(2);
        await commit(sim, { ...this.#stage(busid), domid }, 'mischief');
      } else if (roll < 0.92) sim.usb.failBind(busid, 'EIO', 1);
      else if (roll < 0.95) sim.qemus.get(1)?.refuseOpen(busid);
      else if (roll < 0.97) await commit(sim, this.#stage(busid), 'qemu-killed');
      else if (this.#chance(0.5)) await sim.killDomain(2, { leaveRecords: true });
      else await commit(sim, { ...this.#stage(busid), domid: 2 }, 'domain-destroyed');
    }
    for (const back of pulled) {
      this.#replugged.add(back.busid);
      await sim.plug(back);
    }
    return 0;
  }

  #stage(busid: string): Stage {
    return { type: this.#kind.type, busid, other: busid, domid: 1, devid: 0 };
  }

  async #rival(sim: SimHost): Promise<number> {
    const rival = new Rival(sim, this.#kind.type);
    for (let i = 3 + this.#below(5); i > 0; i--) {
      await this.#pause();
      const controller = { domid: 1 + this.#below(2), devid: this.#below(2) };
      const busid = pick(this.#random, DEVICES);
      const roll = this.#random();
      if (roll < 0.4) await rival.attach(controller, 1 + this.#below(2), busid);
      else if (roll < 0.7) await rival.detach(busid);
      else if (roll < 0.85) await rival.add(controller.domid);
      else await rival.remove(controller);
    }
    return 0;
  }
}
