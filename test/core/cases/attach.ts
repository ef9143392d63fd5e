/** Attaching: where a device goes, and how it is named. */
import assert from 'node:assert/strict';
import { addController, attachDevice, listDevices } from '../../../src/pvusb/index.js';
import { compareWorlds } from '../support/invariants.js';
import { controllerOf, failure, labWith } from '../support/test-host.js';
import type { Case } from './case.js';

const two = labWith(controllerOf({ domid: 1, devid: 0 }), controllerOf({ domid: 1, devid: 5 }));

/** Attaches `3-8` by some name and returns where it went. */
async function attachedBy(
  lab: Parameters<Case['run']>[0],
  name: Parameters<typeof attachDevice>[1]['device'],
) {
  return (await attachDevice(lab.host, { domain: 1, device: name })).result.busid;
}

export const attachCases: readonly Case[] = [
  {
    name: 'a device goes to the first free port of the first controller with one',
    options: { world: two },
    async run(lab) {
      assert.equal(await lab.attach(1, '4-1'), '1/0/1');
      assert.equal(await lab.attach(1, '3-4'), '1/0/2');
      assert.equal(await lab.attach(1, '3-8'), '1/5/1');
      assert.equal(await lab.read('/local/domain/0/backend/vusb/1/5/port/1'), '3-8');
    },
  },
  {
    name: 'a device goes to the first free port of the requested controller',
    options: { world: two },
    async run(lab) {
      assert.equal(await lab.attach(1, '3-8', { devid: 5 }), '1/5/1');
      assert.equal(await lab.attach(1, '4-1', { devid: 5 }), '1/5/2');
    },
  },
  {
    name: 'a device goes to the requested port',
    options: { world: two },
    async run(lab) {
      assert.equal(await lab.attach(1, '3-8', { devid: 5, port: 2 }), '1/5/2');
      assert.equal(await lab.attach(1, '4-1', { devid: 5 }), '1/5/1');
      assert.equal(lab.driver('4-1:1.0'), 'usbback');
    },
  },
  {
    name: 'a controller is added when a domain has none',
    async run(lab) {
      assert.equal(await lab.attach(2, '4-1'), '2/0/1');
      assert.equal(await lab.attach(2, '3-4'), '2/0/2');
      assert.equal(await lab.read('/local/domain/0/backend/vusb/2/0/num-ports'), '8');
    },
  },
  {
    name: 'a controller is added when all are full, and is served before the device is attached',
    options: { world: two },
    async run(lab) {
      for (const device of ['1-1', '2-1', '3-2', '3-3']) await lab.attach(1, device);
      const seen: string[] = [];
      const { result } = await attachDevice(
        lab.host,
        { domain: 1, device: '4-1' },
        { onStep: ({ step, phase }) => phase === 'done' && seen.push(step.act.do) },
      );
      assert.deepEqual([result.devid, result.port], [6, 1]);
      assert.deepEqual(seen, ['commit', 'await', 'commit', 'verify', 'take', 'bind', 'commit']);
    },
  },
  {
    name: 'a controller that was added is removed again when usbback does not take it',
    options: { usbback: 'never' },
    async run(lab) {
      const before = await lab.snapshot();
      lab.beHasty();
      const error = await failure(() => lab.attach(1, '4-1'));
      assert.equal(error.code, 'state-timeout');
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'a controller that was added stays when another program has put a device into it meanwhile',
    async run(lab) {
      const other = await lab.connect();
      const port = '/local/domain/0/backend/vusb/1/0/port/1';
      let theirs: Promise<void> | undefined;
      const { result } = await attachDevice(
        lab.host,
        { domain: 1, device: '4-1' },
        {
          onStep: ({ step, phase }) => {
            if (step.act.do === 'await' && phase === 'done') theirs ??= other.write(port, '3-8');
          },
        },
      );
      await theirs;
      assert.deepEqual([result.devid, result.port], [0, 2]);
      assert.equal(await lab.read(port), '3-8');
      await lab.sim.usb.bind('usbback', '3-8:1.0');
      other.close();
    },
  },
  {
    name: 'a controller that was added is removed again when the device cannot be taken',
    async run(lab) {
      const before = await lab.snapshot();
      lab.sim.usb.failBind({ interface: '3-7:1.1', driver: 'usbback' }, 'EIO');
      const error = await failure(() => lab.attach(1, '3-7'));
      assert.equal(error.code, 'sysfs-failed', error.message);
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'a device is named by its busid, address, ids, or ids and serial number',
    async run(lab) {
      const address = (lab.sim.usb.device('3-8')?.address ?? 0).toString();
      assert.equal(await attachedBy(lab, '3-8'), '3-8');
      assert.equal(await attachedBy(lab, '3.8'), '3-7');
      assert.equal(await attachedBy(lab, '0403:6001'), '3-4');
      assert.equal(await attachedBy(lab, '46F4:0001:LAB0001'), '4-1');
      assert.equal(await attachedBy(lab, { hostbus: 3, hostaddr: 6 }), '3-6');
      assert.equal(address, '9');
    },
  },
  {
    name: 'a device behind a hub is attached by its whole name',
    async run(lab) {
      await lab.attach(1, '3-5.1');
      assert.equal(lab.driver('3-5.1:1.0'), 'usbback');
      assert.equal(lab.driver('3-5:1.0'), 'hub');
      const saved = '/libxl/usbback/3-5_1/3-5_1@1_0/driver_path';
      assert.equal(await lab.read(saved), '/sys/bus/usb/drivers/usbhid');
    },
  },
  {
    name: 'all interfaces of a device go to usbback, and each driver that has to be restored is recorded, as in xl',
    async run(lab) {
      for (const device of ['3-6', '3-7', '3-8']) await lab.attach(1, device);
      for (const intf of ['3-6:1.0', '3-6:1.1', '3-7:1.0', '3-7:1.1', '3-8:1.0'])
        assert.equal(lab.driver(intf), 'usbback', intf);
      const saved = async (busid: string, number: number): Promise<string | undefined> =>
        lab.read(`/libxl/usbback/${busid}/${busid}@1_${number}/driver_path`);
      assert.equal(await saved('3-6', 0), '/sys/bus/usb/drivers/snd-usb-audio');
      assert.equal(await saved('3-6', 1), '/sys/bus/usb/drivers/snd-usb-audio');
      assert.equal(await saved('3-7', 0), '/sys/bus/usb/drivers/cdc_ether');
      // cdc_ether releases both at once, and brings both back with the first.
      assert.equal(await saved('3-7', 1), undefined);
      assert.equal(await saved('3-8', 0), undefined);
    },
  },
  {
    name: 'two domains have devices side by side, and all are listed',
    async run(lab) {
      await lab.attach(1, '4-1');
      await lab.attach(2, '3-6');
      await lab.attach(1, '3-8');
      const told = async (domain?: string | number): Promise<string[]> =>
        (await listDevices(lab.host, { domain })).map(
          ({ domid, devid, port, busid, device }) =>
            `${domid}/${devid}/${port} ${busid} ${device?.bus}.${device?.address}`,
        );
      assert.deepEqual(await told(), ['1/0/1 4-1 4.2', '1/0/2 3-8 3.9', '2/0/1 3-6 3.6']);
      assert.deepEqual(await told('u1'), ['1/0/1 4-1 4.2', '1/0/2 3-8 3.9']);
      assert.deepEqual(await told(2), ['2/0/1 3-6 3.6']);
    },
  },
  {
    name: 'a domain is named by its number or its name',
    async run(lab) {
      const { result } = await attachDevice(lab.host, { domain: 'u2', device: '4-1' });
      assert.equal(result.domid, 2);
      assert.equal((await attachDevice(lab.host, { domain: '2', device: '3-8' })).result.port, 2);
    },
  },
  {
    name: 'a dry run of an attach changes nothing, and says where the device would go',
    async run(lab) {
      const before = await lab.snapshot();
      const { result, plan } = await attachDevice(lab.host, { domain: 1, device: '3-6' }, { dryRun: true });
      assert.deepEqual(result, { domid: 1, devid: 0, port: 1, busid: '3-6', type: 'pv' });
      assert.equal(plan.steps.length, 9);
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'usbback may notice the port a moment after the claim',
    run: async (lab) => {
      let asked = 0;
      lab.sim.usb.answerWanted(async () => ++asked > 3);
      await lab.attach(1, '3-6');
      assert.deepEqual([lab.driver('3-6:1.0'), lab.driver('3-6:1.1')], ['usbback', 'usbback']);
      assert.equal(asked, 5);
    },
  },
  {
    name: 'a device that usbback does not take in time is given back',
    run: async (lab) => {
      lab.sim.usb.answerWanted(async () => false);
      const before = await lab.snapshot();
      assert.equal((await failure(() => lab.attach(1, '3-6'))).code, 'sysfs-failed');
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'a failed attach gives every interface back and frees the port, whichever step failed',
    async run(lab) {
      await addController(lab.host, { domain: 1 });
      const before = await lab.snapshot();
      for (const intf of ['3-6:1.0', '3-6:1.1', '3-7:1.0', '3-7:1.1', '3-8:1.0']) {
        lab.sim.usb.failBind({ interface: intf, driver: 'usbback' }, 'EIO', 1);
        const error = await failure(() => lab.attach(1, intf.slice(0, 3)));
        assert.equal(error.code, 'sysfs-failed', error.message);
        assert.deepEqual(compareWorlds(before, await lab.snapshot()), [], `binding ${intf}`);
      }
      for (const intf of ['3-6:1.0', '3-6:1.1', '3-7:1.0', '4-1:1.0']) {
        lab.sim.usb.failUnbind({ interface: intf, driver: lab.natural.get(intf)! }, 'EIO', 1);
        const error = await failure(() => lab.attach(1, intf.slice(0, 3)));
        assert.equal(error.code, 'sysfs-failed', error.message);
        assert.deepEqual(compareWorlds(before, await lab.snapshot()), [], `unbinding ${intf}`);
      }
    },
  },
];
