/** A guest that rewrites its own nodes at any moment changes nothing else, and breaks no operation. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  addController,
  attachDevice,
  detachDevice,
  doctor,
  formatPlan,
  isPvusbError,
  listDevices,
  listInventory,
  removeController,
} from '../../../src/pvusb/index.js';
import type { SimGuest, SimStore } from '../../../src/sim/index.js';
import { kitOrSkip } from '../../xenstored/fetch.js';
import { checkInvariants, compareWorlds, driversOf, snapshotOf } from '../support/invariants.js';
import {
  controllerOf,
  type Lab,
  labWith,
  type OpenLab,
  openOnDaemon,
  openSimulated,
} from '../support/test-host.js';

const HOSTILE = 1;

/** What may be done to a host whose domain 1 is hostile; all of it is done repeatedly. */
const OPERATIONS: readonly ((lab: Lab) => Promise<unknown>)[] = [
  ({ host }) => addController(host, { domain: 1, ports: 2 }),
  ({ host }) => attachDevice(host, { domain: 1, device: '3-6' }),
  ({ host }) => listDevices(host),
  ({ host }) => attachDevice(host, { domain: 2, device: '4-1' }),
  ({ host }) => attachDevice(host, { domain: 1, device: '3-7', devid: 0 }),
  ({ host }) => listInventory(host),
  ({ host }) => detachDevice(host, { device: '3-6' }),
  ({ host }) => detachDevice(host, { device: '4-1' }),
  ({ host }) => attachDevice(host, { domain: 1, device: '3-8' }),
  ({ host }) => doctor(host, { settleMs: 0, fix: true }),
  ({ host }) => removeController(host, { domain: 1, devid: 0 }),
  ({ host }) => detachDevice(host, { domain: 2, devid: 0, port: 1 }),
  ({ host }) => removeController(host, { domain: 1, devid: 0, destroy: true }),
];

/** What is not the guest's: without its own tree, and the states that a backend mirrors from it. */
function beyond(world: readonly string[]): string[] {
  const own = new RegExp(
    `^/local/domain/${HOSTILE}/device/|^/local/domain/0/backend/vusb/${HOSTILE}/\\d+/state`,
  );
  return world.filter((line) => !own.test(line));
}

/** Stops a hostile guest, and returns how many operations it has done. */
type Attack = () => Promise<number>;

/** On a daemon: one hostile operation after another, with a guest's rights. */
function attack(guest: SimGuest): Attack {
  let stopped = false;
  const running = (async () => {
    for (let operations = 0; ; operations++) {
      if (stopped) return operations;
      await guest.mischief();
    }
  })();
  return () => {
    stopped = true;
    return running;
  };
}

/** On the simulated store: a hostile operation before each of our requests, so that none is spared. */
function attackBetween(store: SimStore, guest: SimGuest): Attack {
  const running: Promise<void>[] = [];
  store.onRequest = () => void running.push(guest.mischief());
  return async () => {
    delete store.onRequest;
    await Promise.all(running);
    return running.length;
  };
}

/** One operation ends in success or in a typed error, and the host is sound. */
async function endsWell(lab: Lab, at: number, seed: number): Promise<void> {
  try {
    await OPERATIONS[at]!(lab);
  } catch (error) {
    if (!isPvusbError(error) || error.code === 'internal' || error.code === 'rollback-failed')
      throw new Error(`operation ${at} with seed ${seed}`, { cause: error });
  }
  const state = { dump: await lab.dumpNow(), usb: lab.sim.usb, natural: lab.natural };
  assert.deepEqual(checkInvariants(state), [], `operation ${at} with seed ${seed}`);
}

async function survives(open: OpenLab, seed: number, start: (lab: Lab) => Attack): Promise<void> {
  const world = labWith(controllerOf({ domid: 2, devid: 0 }));
  const domains = world.domains.map((domain) =>
    domain.domid === HOSTILE ? { ...domain, hostile: seed } : domain,
  );
  await using lab = await open({ world: { ...world, domains } });
  lab.beHasty();
  const healthy = beyond(await lab.snapshot());
  const stop = start(lab);
  let operations = 0;
  try {
    for (const at of OPERATIONS.keys()) await endsWell(lab, at, seed);
  } finally {
    operations = await stop();
  }
  assert.ok(operations > OPERATIONS.length, 'the guest did next to nothing');
  for (const domid of [1, 2]) {
    const { controllers } = await listInventory(lab.host, { domain: domid });
    for (const { devid } of controllers.filter((each) => each.domid === 1 || each.devid > 0))
      await removeController(lab.host, { domain: domid, devid, destroy: true });
  }
  assert.deepEqual(driversOf(lab.sim.usb), lab.natural);
  const left = beyond(snapshotOf({ dump: await lab.dump(), usb: lab.sim.usb }));
  assert.deepEqual(compareWorlds(healthy, left), [], `seed ${seed}`);
  lab.assertNothingLeaks();
}

describe('a hostile guest', () => {
  for (let seed = 1; seed <= 10; seed++) {
    test(`is survived on the simulated store, seed ${seed}`, () =>
      survives(openSimulated, seed, ({ sim }) => attackBetween(sim.store, sim.guests.get(HOSTILE)!)));
  }

  test('is not believed when it names the backend of another domain', async () => {
    const world = labWith(controllerOf({ domid: 1, devid: 0 }), controllerOf({ domid: 2, devid: 0 }));
    await using lab = await openSimulated({ world });
    await lab.attach(2, '4-1');
    const guest = lab.sim.store.handle(1);
    await guest.write('device/vusb/0/backend', '/local/domain/0/backend/vusb/2/0');
    await guest.write('device/vusb/0/backend-id', '2');
    const { controllers } = await listInventory(lab.host, { domain: 1 });
    assert.equal(controllers[0]?.backend, '/local/domain/0/backend/vusb/1/0');
    assert.deepEqual(await listDevices(lab.host, { domain: 1 }), []);
    await removeController(lab.host, { domain: 1, devid: 0, destroy: true });
    assert.equal(await lab.read('/local/domain/0/backend/vusb/2/0/port/1'), '4-1');
    assert.equal(lab.driver('4-1:1.0'), 'usbback');
  });

  test('puts no terminal escape into a plan, a finding or an error', async () => {
    await using lab = await openSimulated({ world: labWith(controllerOf({ domid: 1, devid: 0 })) });
    const evil = '\u001b[2J\u0007';
    for (const key of ['state', 'backend', 'event-channel', 'urb-ring-ref', 'x'])
      await lab.sim.store.handle(1).write(`device/vusb/0/${key}`, evil);
    await lab.write('/local/domain/0/backend/vusb/1/0/port/1', evil);
    const { plan } = await removeController(lab.host, { domain: 1, devid: 0 }, { dryRun: true });
    const { plans } = await doctor(lab.host, { settleMs: 0 });
    const told = [plan, ...plans].map(
      (each) => formatPlan(each, { undo: true }) + JSON.stringify(each.title),
    );
    assert.doesNotMatch(told.join(''), /[\u0000-\u0009\u000b-\u001f\u007f]/);
  });
});

const { skip } = await kitOrSkip();
if (skip !== false) test('a hostile guest on the real daemons', { skip });
describe('a hostile guest with a socket of its own', { skip }, () => {
  for (const kind of ['c', 'o'] as const) {
    for (const seed of [101, 102]) {
      test(`is survived on the daemon ${kind}, seed ${seed}`, () =>
        survives(openOnDaemon(kind), seed, ({ sim }) => attack(sim.guests.get(HOSTILE)!)));
    }
  }
});
