/** Controllers of type devicemodel: an HVM guest's QEMU emulates them, and is told what to do through QMP. */
import assert from 'node:assert/strict';
import {
  addController,
  attachDevice,
  detachDevice,
  doctor,
  removeController,
} from '../../../src/pvusb/index.js';
import { qemuWorld, type SimQemu } from '../../../src/sim/index.js';
import { compareWorlds } from '../support/invariants.js';
import type { Lab } from '../support/test-host.js';
import type { Case } from './case.js';

const h1 = 4;
const options = { world: qemuWorld() };
const RECORD = `/libxl/${h1}/device/vusb/0`;

const qemuOf = (lab: Lab): SimQemu => lab.sim.qemus.get(h1)!;

/** What QEMU has with an id, sorted. */
async function idsIn(lab: Lab): Promise<string[]> {
  const listed = (await qemuOf(lab).execute('qom-list', { path: '/machine/peripheral' })) as {
    name: string;
  }[];
  return listed
    .map(({ name }) => name)
    .filter((name) => name !== 'type')
    .sort();
}

/** As xl attaches: the port, then the command. */
async function attachAsXl(lab: Lab, port: number, busid: string): Promise<void> {
  await lab.write(`${RECORD}/port/${port}`, busid);
  const { address } = lab.sim.usb.device(busid)!;
  const bus = Number.parseInt(busid, 10);
  const at = { bus: 'xenusb-0.0', port: String(port), hostbus: bus, hostaddr: address };
  await qemuOf(lab).execute('device_add', { driver: 'usb-host', id: `xenusb-${bus}-${address}`, ...at });
}

/** The same device in the same socket: another address. */
async function replug(lab: Lab, busid: string): Promise<void> {
  const { spec } = lab.sim.usb.device(busid)!;
  const { address: _, ...rest } = spec;
  await lab.sim.unplug(busid);
  await lab.sim.plug(rest);
}

export const devicemodelCases: readonly Case[] = [
  {
    name: 'a guest without a controller gets one, in xenstore and in QEMU; removed, the host is as it was',
    options,
    async run(lab) {
      const before = await lab.snapshot();
      const { result } = await attachDevice(lab.host, { domain: h1, device: '4-1' });
      assert.deepEqual(result, {
        ...{ domid: h1, devid: 0, port: 1, busid: '4-1' },
        ...{ type: 'devicemodel', state: 'in-use' },
      });
      assert.deepEqual(await idsIn(lab), ['xenusb-0', 'xenusb-4-2']);
      assert.equal(await lab.read(`${RECORD}/usb-ver`), '2');
      await removeController(lab.host, { domain: h1, devid: 0 });
      assert.deepEqual(await idsIn(lab), []);
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'a device that is too slow for an EHCI gets an xHCI',
    options,
    async run(lab) {
      assert.equal(await lab.attach(h1, '1-1'), `${h1}/0/1`);
      assert.equal(await lab.attach(h1, '2-1'), `${h1}/1/1`);
      assert.equal(await lab.read(`/libxl/${h1}/device/vusb/1/usb-ver`), '3');
      await lab.refuses([
        {
          code: 'speed-mismatch',
          says: ['3-6', 'too slow', 'controller 0 of h1 (domain 4)'],
          act: () => lab.attach(h1, '3-6', { devid: 0 }),
        },
      ]);
      assert.equal(await lab.attach(h1, '3-6'), `${h1}/1/2`);
    },
  },
  {
    name: 'each USB version has the ports that its hardware has',
    options,
    async run(lab) {
      const add = (request: object) => addController(lab.host, { domain: h1, ...request });
      const made = [
        await add({ version: 1 }),
        await add({ version: 2 }),
        await add({ version: 3 }),
        await add({ version: 3, ports: 15 }),
      ];
      assert.deepEqual(
        made.map(({ result }) => `${result.type} ${result.version} ${result.ports}`),
        ['devicemodel 1 2', 'devicemodel 2 6', 'devicemodel 3 8', 'devicemodel 3 15'],
      );
      assert.deepEqual(await idsIn(lab), ['xenusb-0', 'xenusb-1', 'xenusb-2', 'xenusb-3']);
      const code = 'invalid-argument';
      await lab.refuses([
        { code, says: ['4 ports', 'USB 1', 'always has 2'], act: () => add({ version: 1, ports: 4 }) },
        { code, says: ['8 ports', 'USB 2', 'always has 6'], act: () => add({ version: 2, ports: 8 }) },
        { code, says: ['16 ports', 'USB 3', '1 to 15'], act: () => add({ version: 3, ports: 16 }) },
        { code, says: ['version 4'], act: () => add({ version: 4 }) },
      ]);
    },
  },
  {
    name: 'a device is detached after a replug, whoever attached it',
    options,
    async run(lab) {
      await addController(lab.host, { domain: h1 });
      const before = await lab.snapshot();
      for (const attach of [() => lab.attach(h1, '4-1'), () => attachAsXl(lab, 1, '4-1')]) {
        await attach();
        await replug(lab, '4-1');
        await lab.sim.idle();
        await detachDevice(lab.host, { domain: h1, devid: 0, port: 1 });
        assert.deepEqual(await idsIn(lab), ['xenusb-0']);
        assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
      }
    },
  },
  {
    name: 'an id that the device had before a replug does not get in the way',
    options,
    async run(lab) {
      await addController(lab.host, { domain: h1 });
      // Another socket now has the address from which the id of the lent one was made.
      const at = { driver: 'usb-host', bus: 'xenusb-0.0', port: '6', hostbus: 3, hostport: '9' };
      await qemuOf(lab).execute('device_add', { ...at, id: 'xenusb-4-2' });
      assert.equal(await lab.attach(h1, '4-1'), `${h1}/0/1`);
      assert.deepEqual(await idsIn(lab), ['pvusb-0-1', 'xenusb-0', 'xenusb-4-2']);
      await detachDevice(lab.host, { device: '4-1' });
      await qemuOf(lab).execute('device_del', { id: 'xenusb-4-2' });
    },
  },
  {
    name: 'what xl attached can be detached',
    options,
    async run(lab) {
      await addController(lab.host, { domain: h1 });
      const before = await lab.snapshot();
      await attachAsXl(lab, 2, '3-2');
      await lab.assertSound();
      await detachDevice(lab.host, { device: '3-2' });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'a controller that exists only as a record is created when a device needs it, or removed by the doctor',
    options,
    async run(lab) {
      const before = await lab.snapshot();
      await addController(lab.host, { domain: h1 });
      // What xl leaves behind when its own attach has failed.
      await qemuOf(lab).execute('device_del', { id: 'xenusb-0' });
      await lab.sim.idle();
      assert.equal(await lab.attach(h1, '4-1'), `${h1}/0/1`);
      assert.deepEqual(await idsIn(lab), ['xenusb-0', 'xenusb-4-2']);
      await detachDevice(lab.host, { device: '4-1' });
      await qemuOf(lab).execute('device_del', { id: 'xenusb-0' });
      await lab.sim.idle();
      const { findings, remaining } = await doctor(lab.host, { fix: true, settleMs: 0 });
      assert.deepEqual(
        findings.map(({ finding }) => finding),
        ['not-emulated'],
      );
      assert.deepEqual(remaining, []);
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
];
