/** Detaching: by port and by device, and what is given back. */
import assert from 'node:assert/strict';
import { detachDevice, deviceInPort, doctor, listDevices } from '../../../src/pvusb/index.js';
import { compareWorlds } from '../support/invariants.js';
import { controllerOf, failure, labWith } from '../support/test-host.js';
import type { Case } from './case.js';

const DEVICES = ['1-1', '2-1', '3-2', '3-4', '3-5.1', '3-6', '3-7', '3-8'];

export const detachCases: readonly Case[] = [
  {
    name: 'a device detached by its port leaves the host as it was',
    async run(lab) {
      await lab.add(1);
      const before = await lab.snapshot();
      for (const device of DEVICES) {
        await lab.attach(1, device);
        const { result } = await detachDevice(lab.host, { domain: 1, devid: 0, port: 1 });
        assert.deepEqual(result, { domid: 1, devid: 0, port: 1, busid: device });
        assert.deepEqual(compareWorlds(before, await lab.snapshot()), [], device);
      }
    },
  },
  {
    name: 'a device detached by its name leaves the host as it was',
    async run(lab) {
      await lab.add(1);
      const before = await lab.snapshot();
      for (const device of ['3-6', '3.8', '0403:6001', '46f4:0001:LAB0001']) {
        await lab.attach(1, device);
        await detachDevice(lab.host, { device });
        assert.deepEqual(compareWorlds(before, await lab.snapshot()), [], device);
      }
    },
  },
  {
    name: 'a device is detached from the named domain, by number or by name',
    async run(lab) {
      await lab.attach(1, '3-6');
      await lab.attach(2, '4-1');
      await detachDevice(lab.host, { domain: 'u2', device: '4-1' });
      await detachDevice(lab.host, { domain: '1', devid: 0, port: 1 });
      assert.deepEqual(await listDevices(lab.host), []);
    },
  },
  {
    name: 'a device is looked up by its port, and a port without one is refused',
    options: { world: labWith(controllerOf({ domid: 1, devid: 0 })) },
    run: async (lab) => {
      await lab.attach(1, '4-1', { devid: 0, port: 2 });
      const at = (place: { devid?: number; port?: number }) => () =>
        deviceInPort(lab.host, { domain: 'u1', devid: 0, port: 1, ...place });
      const { busid, device } = await at({ port: 2 })();
      assert.deepEqual([busid, device?.bus, device?.address], ['4-1', 4, 2]);
      await lab.refuses([
        { code: 'port-empty', says: ['port 1', 'controller 0', 'u1 (domain 1)'], act: at({}) },
        { code: 'no-such-port', says: ['1 to 2', 'not 3'], act: at({ port: 3 }) },
        { code: 'no-such-port', says: ['not 0'], act: at({ port: 0 }) },
        { code: 'no-such-controller', says: ['controller 7'], act: at({ devid: 7 }) },
      ]);
      await lab.sim.unplug('4-1');
      assert.equal((await at({ port: 2 })()).state, 'missing');
    },
  },
  {
    name: 'all devices together are lent and come back',
    async run(lab) {
      await lab.add(1);
      const before = await lab.snapshot();
      for (const device of DEVICES) await lab.attach(1, device);
      for (const device of DEVICES.toReversed()) await detachDevice(lab.host, { device });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'a dry run of a detach changes nothing',
    async run(lab) {
      await lab.attach(1, '3-7');
      const before = await lab.snapshot();
      const { plan } = await detachDevice(lab.host, { device: '3-7' }, { dryRun: true });
      assert.equal(plan.steps.length, 6);
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'a device that was pulled out is listed as missing, and its port is freed by its busid',
    async run(lab) {
      await lab.add(1);
      await lab.attach(1, '3-6');
      await lab.sim.unplug('3-6');
      const [lost] = await listDevices(lab.host);
      assert.deepEqual(lost, { domid: 1, devid: 0, port: 1, busid: '3-6', state: 'missing' });
      await detachDevice(lab.host, { device: '3-6' });
      assert.deepEqual(await listDevices(lab.host), []);
      assert.equal(await lab.read('/libxl/usbback'), undefined);
    },
  },
  {
    name: 'a device that another toolstack has half detached is detached completely',
    async run(lab) {
      await lab.add(1);
      const before = await lab.snapshot();
      await lab.attach(1, '3-6');
      await lab.sim.usb.unbind('usbback', '3-6:1.0');
      await detachDevice(lab.host, { device: '3-6' });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'a detach that stopped half-way, run again, ends like an uninterrupted one',
    async run(lab) {
      await lab.add(1);
      const before = await lab.snapshot();
      await lab.attach(1, '3-6');
      lab.sim.usb.failUnbind({ interface: '3-6:1.1', driver: 'usbback' }, 'EIO', 1);
      const error = await failure(() => detachDevice(lab.host, { device: '3-6' }));
      assert.equal(error.code, 'sysfs-failed');
      await detachDevice(lab.host, { device: '3-6' });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'a driver that does not take its interface back is reported, and the doctor finishes the job',
    async run(lab) {
      await lab.add(1);
      const before = await lab.snapshot();
      await lab.attach(1, '4-1');
      lab.sim.usb.failBind({ interface: '4-1:1.0', driver: 'usb-storage' }, 'EIO');
      const error = await failure(() => detachDevice(lab.host, { device: '4-1' }));
      assert.equal(error.code, 'driver-not-restored');
      assert.equal(error.group, 'unfinished');
      assert.match(error.message, /4-1:1\.0/);
      assert.match(error.message, /usb-storage/);
      lab.sim.usb.clearFaults();
      assert.deepEqual((await doctor(lab.host, { fix: true, settleMs: 0 })).remaining, []);
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
];
