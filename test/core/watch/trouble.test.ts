/** A watch on guests when things go wrong around it: nothing is forgotten, and nothing is given that the guest did not have. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  attachDevice,
  detachDevice,
  type Host,
  type HostSysfs,
  listDevices,
  watchDomains,
} from '../../../src/pvusb/index.js';
import { qemuWorld, rebootDomain } from '../../../src/sim/index.js';
import { SysfsError } from '../../../src/sysfs/index.js';
import { controllerOf, type Lab, openSimulated } from '../support/test-host.js';
import { Watching } from '../support/watching.js';

const world = qemuWorld({ usbback: true });
const [u1, u2] = world.domains as [(typeof world.domains)[number], (typeof world.domains)[number]];
const empty = controllerOf({ domid: 1, devid: 0, portCount: 8 });

async function places(lab: Lab): Promise<string[]> {
  const devices = await listDevices(lab.host);
  return devices.map(({ domid, devid, port, busid }) => `${busid} ${domid}/${devid}/${port}`).sort();
}

/** A host where one call fails, the next time that it is made. */
function failingOnce(host: Host, call: 'devices' | 'unbind'): Host & { arm(): void } {
  let isArmed = false;
  const sysfs = new Proxy(host.sysfs, {
    get(target, key) {
      const method = Reflect.get(target, key) as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        if (key === call && isArmed) {
          isArmed = false;
          throw new SysfsError('EIO', call, '4-1', 'the kernel answered EIO');
        }
        return method.apply(target, args);
      };
    },
  }) as HostSysfs;
  return {
    ...host,
    sysfs,
    arm: () => {
      isArmed = true;
    },
  };
}

describe('a watch', () => {
  test('goes on after a failed look, and has not forgotten what guests had', async () => {
    await using lab = await openSimulated({ world });
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    const host = failingOnce(lab.host, 'devices');
    await using watch = new Watching(host);
    await watch.until('watching');
    host.arm();
    await rebootDomain(lab.sim, { domain: u1, domid: 9, controllers: [empty] });
    await watch.until('trouble');
    assert.equal((await watch.until('returned')).attachment.domid, 9);
  });

  test('still owes a guest that reboots again what it could not give it the first time', async () => {
    await using lab = await openSimulated({ world });
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    await using watch = new Watching(lab.host);
    await watch.until('watching');
    // Its controllers have not been created when it goes away again.
    await rebootDomain(lab.sim, { domain: u1, domid: 9, controllers: [] });
    await watch.until('gone');
    await rebootDomain(lab.sim, { domain: { ...u1, domid: 9 }, domid: 10, controllers: [empty] });
    await watch.until('returned');
    assert.deepEqual(await places(lab), ['4-1 10/0/1']);
  });

  test('gives a guest its devices even if its toolstack took them long after it had shut down', async () => {
    await using lab = await openSimulated({ world });
    let laterMs = 0;
    const { nowMs, sleep } = lab.host.clock;
    const clock = { nowMs: () => nowMs() + laterMs, sleep };
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    await using watch = new Watching({ ...lab.host, clock });
    await watch.until('watching');
    lab.sim.store.shutDown(1);
    laterMs = 60_000;
    await detachDevice(lab.host, { device: '4-1' });
    await rebootDomain(lab.sim, { domain: u1, domid: 9, controllers: [empty] });
    await watch.until('returned');
    assert.deepEqual((await watch.until('gone')).busids, ['4-1']);
  });

  test('does not give what was taken from a guest, whoever else ended meanwhile', async () => {
    await using lab = await openSimulated({ world });
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    await attachDevice(lab.host, { domain: 1, device: '1-1' });
    await using watch = new Watching(lab.host, { wishMs: 100 });
    await watch.until('watching');
    lab.sim.store.shutDown(u2.domid);
    await lab.sim.killDomain(u2.domid);
    await detachDevice(lab.host, { device: '4-1' });
    await watch.until('detached');
    await rebootDomain(lab.sim, { domain: u1, domid: 9, controllers: [empty] });
    await watch.until('returned');
    assert.deepEqual(await places(lab), ['1-1 9/0/2']);
    assert.equal(lab.driver('4-1:1.0'), 'usb-storage');
  });

  test('gives a device to the new guest when the dead one lets go of it', async () => {
    await using lab = await openSimulated({ world });
    lab.beHasty();
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    await using watch = new Watching(lab.host, { toolstackMs: 300 });
    await watch.until('watching');
    await lab.sim.killDomain(1, { leaveRecords: true });
    await lab.sim.addDomain({ ...u1, domid: 9 });
    await lab.sim.addController({ ...empty, domid: 9 });
    await watch.until('returned');
    assert.deepEqual(await places(lab), ['4-1 9/0/1']);
    assert.equal(watch.events.filter(({ event }) => event === 'not-returned').length, 0);
  });

  test('gives no guest the stick that was put in place of its own', async () => {
    await using lab = await openSimulated({ world });
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    await attachDevice(lab.host, { domain: 1, device: '1-1' });
    await using watch = new Watching(lab.host);
    await watch.until('watching');
    const { spec } = lab.sim.usb.device('4-1')!;
    await lab.sim.unplug('4-1');
    await lab.sim.plug({ ...spec, address: 9, serial: 'OTHER' });
    await rebootDomain(lab.sim, { domain: u1, domid: 9, controllers: [empty] });
    assert.equal((await watch.until('returned')).attachment.busid, '1-1');
    assert.equal(lab.driver('4-1:1.0'), 'usb-storage');
  });

  test('does not take another device of the same model for one without a serial number', async () => {
    await using lab = await openSimulated({ world });
    const { serial: _, ...bare } = lab.sim.usb.device('4-1')!.spec;
    await lab.sim.unplug('4-1');
    await lab.sim.plug({ ...bare, address: 20 });
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    await attachDevice(lab.host, { domain: 1, device: '1-1' });
    await using watch = new Watching(lab.host);
    await watch.until('watching');
    await lab.sim.unplug('4-1');
    await lab.sim.plug({ ...bare, busid: '4-2', address: 21 });
    await rebootDomain(lab.sim, { domain: u1, domid: 9, controllers: [empty] });
    assert.equal((await watch.until('returned')).attachment.busid, '1-1');
    assert.equal(lab.driver('4-2:1.0'), 'usb-storage');
  });

  test('tries again to clean up when that failed', async () => {
    await using lab = await openSimulated({ world });
    lab.beHasty();
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    const host = failingOnce(lab.host, 'unbind');
    await using watch = new Watching(host, { toolstackMs: 200 });
    await watch.until('watching');
    host.arm();
    await lab.sim.killDomain(1, { leaveRecords: true });
    await watch.until('trouble');
    await watch.until('mended');
    await lab.sim.idle();
    assert.equal(lab.driver('4-1:1.0'), 'usb-storage');
    assert.equal(await lab.read('/libxl/1/device/vusb'), undefined);
  });

  test('closes what it had opened when something cannot be watched', async () => {
    await using lab = await openSimulated({ world });
    const { xenstore } = lab.host;
    let opened = 0;
    const watching = new Proxy(xenstore, {
      get(target, key) {
        const method = Reflect.get(target, key) as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => {
          if (key === 'watch' && ++opened === 3)
            return Promise.reject(new SysfsError('EIO', 'watch', 'x', 'no'));
          return method.apply(target, args);
        };
      },
    });
    await assert.rejects(watchDomains({ ...lab.host, xenstore: watching }));
    lab.assertNothingLeaks();
  });
});
