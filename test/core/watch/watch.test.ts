/** Guests that come and go. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Clock } from '../../../src/async/index.js';
import {
  addController,
  attachDevice,
  detachDevice,
  listDevices,
  releaseDomain,
} from '../../../src/pvusb/index.js';
import { qemuWorld, rebootDomain, type WorldController } from '../../../src/sim/index.js';
import { Plugs } from '../../support/plugs.js';
import { DONGLE } from '../support/dongle.js';
import { compareWorlds } from '../support/invariants.js';
import { overtaken } from '../support/overtaken.js';
import { controllerOf, failure, type Lab, openSimulated } from '../support/test-host.js';
import { Watching } from '../support/watching.js';

const world = qemuWorld({ usbback: true });
const domainOf = (name: string) => world.domains.find((domain) => domain.name === name)!;

async function watching(lab: Lab): Promise<Watching> {
  const watch = new Watching(lab.host, { toolstackMs: 200 });
  await watch.until('watching');
  return watch;
}

/** What libxl recreates from the saved configuration. */
const savedController = (type: WorldController['type'], portCount: number): WorldController => {
  const empty = controllerOf({ domid: 1, devid: 0, type, portCount });
  if (type !== 'devicemodel') return empty;
  const { backendState: _backend, frontendState: _frontend, ...emulated } = empty;
  return emulated;
};

async function places(lab: Lab): Promise<string[]> {
  const devices = await listDevices(lab.host);
  return devices.map(({ domid, devid, port, busid, state }) => `${busid} ${domid}/${devid}/${port} ${state}`);
}

describe('a guest that reboots', () => {
  for (const [name, type, ports] of [
    ['u1', 'pv', 8],
    ['p1', 'qusb', 8],
    ['h1', 'devicemodel', 6],
  ] as const) {
    test(`gets its devices again under its new number: ${type}`, async () => {
      await using lab = await openSimulated({ world });
      const domain = domainOf(name);
      const { domid } = domain;
      await addController(lab.host, { domain: domid, type, ...(type === 'devicemodel' ? {} : { ports }) });
      await attachDevice(lab.host, { domain: domid, device: '4-1', devid: 0, port: 3 });
      await attachDevice(lab.host, { domain: domid, device: '1-1', devid: 0, port: 5 });
      await using watch = await watching(lab);
      const controllers = [savedController(type, ports)];
      await rebootDomain(lab.sim, { domain, domid: 9, controllers });
      await watch.until('returned');
      while (watch.events.filter(({ event }) => event === 'returned').length < 2) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      await lab.sim.idle();
      assert.deepEqual((await places(lab)).sort(), ['1-1 9/0/5 in-use', '4-1 9/0/3 in-use']);
      assert.deepEqual((await watch.until('gone')).busids, ['4-1', '1-1']);
    });
  }

  test('does not get what was taken from it before', async () => {
    await using lab = await openSimulated({ world });
    await attachDevice(lab.host, { domain: 'u1', device: '4-1' });
    await attachDevice(lab.host, { domain: 'u1', device: '1-1' });
    await using watch = await watching(lab);
    await detachDevice(lab.host, { device: '4-1' });
    assert.equal((await watch.until('detached')).busid, '4-1');
    await rebootDomain(lab.sim, {
      domain: domainOf('u1'),
      domid: 9,
      controllers: [savedController('pv', 8)],
    });
    const { attachment } = await watch.until('returned');
    assert.equal(attachment.busid, '1-1');
    await lab.sim.idle();
    assert.deepEqual(await places(lab), ['1-1 9/0/2 in-use']);
  });

  test('whose QEMU was killed gets them with the drivers that they had, to give them back to', async () => {
    await using lab = await openSimulated({ world });
    const domain = domainOf('p1');
    await addController(lab.host, { domain: 'p1', type: 'qusb' });
    await attachDevice(lab.host, { domain: 'p1', device: '4-1' });
    await lab.rm('/libxl/usbback/4-1');
    await using watch = await watching(lab);
    await lab.sim.qemus.get(domain.domid)!.kill();
    assert.equal(lab.driver('4-1:1.0'), undefined);
    await rebootDomain(lab.sim, { domain, domid: 9, controllers: [savedController('qusb', 8)] });
    await watch.until('returned');
    await lab.sim.idle();
    // That one is killed as well: only the record says where the device belongs.
    await lab.sim.qemus.get(9)!.kill();
    await detachDevice(lab.host, { device: '4-1' });
    assert.equal(lab.driver('4-1:1.0'), 'usb-storage');
  });

  test('does not get another device that is in the socket now', async () => {
    await using lab = await openSimulated({ world });
    await attachDevice(lab.host, { domain: 'u1', device: '4-1' });
    await attachDevice(lab.host, { domain: 'u1', device: '1-1' });
    await using watch = await watching(lab);
    const { spec } = lab.sim.usb.device('4-1')!;
    lab.sim.store.shutDown(1);
    await lab.sim.unplug('4-1');
    await lab.sim.plug({ ...spec, serial: 'OTHER' });
    await rebootDomain(lab.sim, {
      domain: domainOf('u1'),
      domid: 9,
      controllers: [savedController('pv', 8)],
    });
    assert.equal((await watch.until('returned')).attachment.busid, '1-1');
    assert.equal(lab.driver('4-1:1.0'), 'usb-storage');
  });
});

describe('a guest that dies', () => {
  test('with its toolstack: what it leaves behind is given back', async () => {
    await using lab = await openSimulated({ world });
    lab.beHasty();
    await attachDevice(lab.host, { domain: 'u1', device: '3-6' });
    await using watch = await watching(lab);
    await lab.sim.killDomain(1, { leaveRecords: true });
    assert.match((await watch.until('mended')).what, /domain 1/);
    await lab.sim.idle();
    assert.deepEqual(await places(lab), []);
    assert.equal(lab.driver('3-6:1.0'), 'snd-usb-audio');
    assert.equal(await lab.read('/libxl/1/device/vusb'), undefined);
  });

  test('is reported, with what it had', async () => {
    await using lab = await openSimulated({ world });
    await attachDevice(lab.host, { domain: 'u2', device: '4-1' });
    await using watch = await watching(lab);
    lab.sim.store.shutDown(2);
    await lab.sim.killDomain(2);
    const { domid, name, busids } = await watch.until('gone');
    assert.deepEqual([domid, name, busids], [2, 'u2', ['4-1']]);
  });
});

describe('a device that is pulled out', () => {
  test('leaves its port to nobody: the next one, which usbback took too soon, is given back at once', async () => {
    await using lab = await openSimulated({ world });
    await addController(lab.host, { domain: 1, type: 'pv', ports: 2 });
    await lab.sim.plug(DONGLE);
    await attachDevice(lab.host, { domain: 1, device: '1-8' });
    // The next one is plugged in after the plan is made, and before the port is free.
    const host = overtaken(lab.host, () => lab.sim.plug({ ...DONGLE, serial: 'OTHER' }));
    // Nothing else would give it back.
    await using watch = new Watching(host, { toolstackMs: 1e9, freesPorts: true });
    await watch.until('watching');
    await lab.sim.unplug('1-8');
    await watch.until('mended');
    assert.equal(lab.driver('1-8:1.0'), undefined);
  });
});

describe('releasing a domain', () => {
  test('takes devices and controllers of every type, and leaves the host as it was', async () => {
    await using lab = await openSimulated({ world });
    const before = await lab.snapshot();
    await addController(lab.host, { domain: 'p1', type: 'pv' });
    await addController(lab.host, { domain: 'p1', type: 'qusb' });
    await attachDevice(lab.host, { domain: 'p1', device: '4-1', devid: 0 });
    await attachDevice(lab.host, { domain: 'p1', device: '3-6', devid: 1 });
    const { result } = await releaseDomain(lab.host, { domain: 'p1' });
    assert.deepEqual(result, { domid: 3, devids: [0, 1], busids: ['4-1', '3-6'] });
    assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    assert.deepEqual((await releaseDomain(lab.host, { domain: 'p1' })).result.devids, []);
    assert.equal((await failure(() => releaseDomain(lab.host, { domain: 77 }))).code, 'no-such-domain');
  });
});

test('a replugged device that QEMU has, but the guest has not noticed, is handed to it again', async () => {
  await using lab = await openSimulated({ world });
  const { domid } = domainOf('p1');
  await addController(lab.host, { domain: domid, type: 'qusb', ports: 8 });
  await attachDevice(lab.host, { domain: domid, device: '4-1', devid: 0, port: 1 });
  await using watch = await watching(lab);
  lab.beHasty();
  const { address: _, ...again } = lab.sim.usb.device('4-1')!.spec;
  await lab.sim.unplug('4-1');
  await lab.sim.plug(again);
  assert.match((await watch.until('mended')).what, /4-1/);
  await lab.sim.idle();
  assert.deepEqual(await places(lab), [`4-1 ${domid}/0/1 in-use`]);
});

test('nothing is looked at while nothing happens: after the first look the clock is asked for what is due, and no more', async () => {
  await using lab = await openSimulated({ world });
  const looks: boolean[] = [];
  let watch: Watching | undefined;
  const asked = new Promise<number>((resolve) => {
    const clock: Clock = {
      nowMs: () => 0,
      sleep(ms, signal) {
        resolve(ms);
        return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
      },
    };
    const plugs = async () => new Plugs(lab.sim, { drivers: true });
    const onSeen = ({ isFirst }: { readonly isFirst: boolean }): void => void looks.push(isFirst);
    watch = new Watching({ ...lab.host, plugs, clock }, { toolstackMs: 12_000, onSeen });
  });
  await using _ = watch!;
  assert.equal(await asked, 12_000);
  assert.deepEqual(looks, [true]);
});
