/** A process that quiesces or restores a guest is killed, at every call that changes something: nothing is lost. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Host,
  listDevices,
  listQuiesced,
  type QuiescedFiles,
  type QuiescedGuest,
  quiesceDomain,
  restoreDomain,
} from '../../src/pvusb/index.js';
import type { SimHost } from '../../src/sim/index.js';
import { driversOf } from '../core/support/invariants.js';
import type { HostCall } from './faults.js';
import { FaultyHost } from './faulty-host.js';
import { invariantsOf } from './invariants-of.js';
import { ending } from './settle.js';
import type { Strike } from './trouble.js';
import { smallWorld } from './worlds.js';

const LENT = { 1: '3-6', 2: '2-1' };
const BUSIDS = ['1-1', '2-1', '3-6'];
const STAGE = { type: 'pv', busid: '3-6', other: '1-1', domid: 1, devid: 0 } as const;

/** What outlives a process; a file is there as a whole, or not at all. */
class Kept implements QuiescedFiles {
  readonly #guests = new Map<string, QuiescedGuest>();

  async list(): Promise<QuiescedGuest[]> {
    return [...this.#guests.values()];
  }

  async write(guest: QuiescedGuest): Promise<void> {
    this.#guests.set(guest.token, guest);
  }

  async remove(token: string): Promise<void> {
    this.#guests.delete(token);
  }
}

type Operation = (host: Host) => Promise<unknown>;

const quiesce: Operation = (host) => quiesceDomain(host, { domain: 1, controllers: true });
const restore: Operation = async (host) => {
  const [guest] = await listQuiesced(host);
  const { unrestored } = await restoreDomain(host, guest!.token);
  assert.deepEqual(unrestored, []);
};

/** Runs an operation as a process of its own; resolves to its calls when it has ended, or is killed. */
async function run(
  sim: SimHost,
  quiesced: Kept,
  operation: Operation,
  strike?: Strike,
): Promise<readonly HostCall[]> {
  const faulty = new FaultyHost(sim, STAGE, strike);
  const { trouble } = faulty;
  const host: Host = { ...faulty.host, quiesced };
  const end = await ending(
    operation(host),
    faulty.clock,
    () => trouble.activity,
    () => trouble.dead,
  );
  faulty.close();
  await sim.idle();
  if (end.how === 'failed' && !trouble.dead) throw end.error;
  assert.ok(trouble.dead || end.how === 'done');
  return trouble.calls;
}

async function placesOf(sim: SimHost): Promise<string[]> {
  const faulty = new FaultyHost(sim, STAGE);
  const listed = await ending(listDevices(faulty.host), faulty.clock, () => faulty.trouble.activity);
  faulty.close();
  assert.equal(listed.how, 'done');
  return listed.value.map(({ busid, domid, devid, port }) => `${busid} ${domid}/${devid}/${port}`);
}

const world = (): Promise<SimHost> => smallWorld({ lent: LENT, busids: BUSIDS });

describe('a process that is killed', () => {
  for (const [name, before, operation] of [
    ['quiescing', [], quiesce],
    ['restoring', [quiesce], restore],
  ] as const)
    it(`while ${name} a guest loses nothing: the next one goes on`, async (t) => {
      const start = async () => {
        const [sim, kept] = [await world(), new Kept()];
        for (const one of before) await run(sim, kept, one);
        return { sim, kept };
      };
      const calm = await start();
      const natural = driversOf((await smallWorld({ lent: {}, busids: BUSIDS })).usb);
      const places = ['3-6 1/0/1', '2-1 1/0/2'];
      const calls = await run(calm.sim, calm.kept, operation);
      await calm.sim.close();
      let kills = 0;
      const changing = calls.filter(({ changes }) => changes);
      for (const { index } of changing.filter((_, at) => at % 7 === 0 || at > changing.length - 3)) {
        for (const after of [false, true]) {
          const moment = `killed ${after ? 'after' : 'before'} ${calls[index]!.name}`;
          const { sim, kept } = await start();
          kills++;
          await run(sim, kept, operation, { at: index, fault: { kind: 'kill', after } });
          // Whoever comes next: the guest is quiesced, then restored.
          const isLost = (await kept.list()).length === 0;
          if (isLost) assert.deepEqual(await placesOf(sim), places, moment);
          await run(sim, kept, quiesce);
          assert.deepEqual(await placesOf(sim), [], moment);
          await run(sim, kept, restore);
          assert.deepEqual(await placesOf(sim), places, moment);
          assert.deepEqual(await invariantsOf(sim, natural), [], moment);
          await sim.close();
        }
      }
      t.diagnostic(`${kills} kills`);
    });
});
