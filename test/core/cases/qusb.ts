/** Controllers of type qusb: a QEMU follows xenstore, and the guest has what QEMU has opened. */
import assert from 'node:assert/strict';
import {
  addController,
  attachDevice,
  detachDevice,
  listDevices,
  removeController,
} from '../../../src/pvusb/index.js';
import { qemuWorld } from '../../../src/sim/index.js';
import { compareWorlds } from '../support/invariants.js';
import type { Lab } from '../support/test-host.js';
import type { Case } from './case.js';

/** u2 has a controller of four ports, p1 none; u1 has no QEMU. */
const [u1, u2, p1] = [1, 2, 3];

const options = { world: qemuWorld({ usbback: false }) };

function heldBy(lab: Lab, domid: number): string[] {
  return [...lab.sim.qemus.get(domid)!.held].sort();
}

export const qusbCases: readonly Case[] = [
  {
    name: 'a device is opened by QEMU and used by the guest; after a detach the host is as it was',
    options,
    async run(lab) {
      const before = await lab.snapshot();
      for (const device of ['4-1', '3-5.1', '3-6', '3-7', '3-8']) {
        const { result } = await attachDevice(lab.host, { domain: u2, device });
        const place = { domid: u2, devid: 0, port: 1, busid: device };
        assert.deepEqual(result, { ...place, type: 'qusb', state: 'in-use' });
        await lab.sim.idle();
        assert.deepEqual(heldBy(lab, u2), [device]);
        assert.equal(lab.driver(`${device}:1.0`), 'usbfs');
        const [attached] = await listDevices(lab.host, { domain: u2 });
        assert.equal(attached?.state, 'in-use');
        await detachDevice(lab.host, { device });
        assert.deepEqual(compareWorlds(before, await lab.snapshot()), [], device);
      }
    },
  },
  {
    name: 'a PVH guest without a controller gets one with its first device; removed, the host is as it was',
    options,
    async run(lab) {
      const before = await lab.snapshot();
      assert.equal(await lab.attach(p1, '1-1'), `${p1}/0/1`);
      assert.equal(await lab.attach(p1, '3-6'), `${p1}/0/2`);
      await removeController(lab.host, { domain: p1, devid: 0 });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
      assert.equal(await lab.attach(p1, '3-7'), `${p1}/0/1`);
      await removeController(lab.host, { domain: p1, devid: 0, destroy: true });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'two controllers never have devices in ports with the same number',
    options,
    async run(lab) {
      assert.equal(await lab.attach(u2, '4-1'), `${u2}/0/1`);
      assert.equal((await addController(lab.host, { domain: u2, ports: 2 })).result.devid, 1);
      await lab.refuses([
        {
          code: 'port-clash',
          says: ['Port 1', 'u2 (domain 2)', 'QEMU'],
          act: () => lab.attach(u2, '1-1', { devid: 1, port: 1 }),
        },
      ]);
      assert.equal(await lab.attach(u2, '1-1', { devid: 1 }), `${u2}/1/2`);
      await lab.refuses([
        { code: 'controller-full', says: ['controller 1'], act: () => lab.attach(u2, '3-2', { devid: 1 }) },
      ]);
      assert.equal(await lab.attach(u2, '3-2'), `${u2}/0/3`);
      assert.equal(await lab.attach(u2, '3-3'), `${u2}/0/4`);
      // Only ports that would clash are left: a new controller, and its first port that does not clash.
      assert.equal(await lab.attach(u2, '3-4'), `${u2}/2/5`);
      await lab.sim.idle();
      assert.equal(lab.sim.qemus.get(u2)!.alive, true);
      assert.deepEqual(heldBy(lab, u2), ['1-1', '3-2', '3-3', '3-4', '4-1']);
    },
  },
  {
    name: 'a guest without a QEMU is refused at once, and nothing is written',
    options,
    async run(lab) {
      const code = 'no-device-model';
      await lab.refuses([
        { code, says: ['omain 1', 'QEMU'], act: () => lab.attach(u1, '4-1') },
        { code, says: ['omain 1', 'QEMU'], act: () => addController(lab.host, { domain: u1 }) },
      ]);
    },
  },
];
