/** Adding, listing, removing and destroying controllers. */
import assert from 'node:assert/strict';
import {
  addController,
  controllerInfo,
  doctor,
  type Inventory,
  listDevices,
  listInventory,
  observe,
  removeController,
} from '../../../src/pvusb/index.js';
import { compareWorlds } from '../support/invariants.js';
import { assertSentence, controllerOf, failure, labWith } from '../support/test-host.js';
import type { Case } from './case.js';

export const controllerCases: readonly Case[] = [
  {
    name: 'a controller has version 2 and 8 ports unless told otherwise, and is connected',
    async run(lab) {
      const { result } = await addController(lab.host, { domain: 1 });
      assert.deepEqual(result, { domid: 1, devid: 0, type: 'pv', version: 2, ports: 8 });
      await lab.sim.idle();
      assert.equal(await lab.read('/local/domain/0/backend/vusb/1/0/state'), '4');
      assert.equal(await lab.read('/local/domain/1/device/vusb/0/state'), '4');
    },
  },
  {
    name: 'a controller has the requested number, version and ports',
    async run(lab) {
      const asked = { domain: 'u2', devid: 7, version: 1, ports: 31, type: 'pv' } as const;
      const { result } = await addController(lab.host, asked);
      assert.deepEqual(result, { domid: 2, devid: 7, type: 'pv', version: 1, ports: 31 });
      assert.equal(await lab.read('/libxl/2/device/vusb/7/usb-ver'), '1');
      assert.equal(await lab.read('/local/domain/0/backend/vusb/2/7/port/31'), '');
    },
  },
  {
    name: 'a number that is chosen is one more than the highest, not the last in the list',
    async run(lab) {
      for (const devid of [10, 9, 2]) await addController(lab.host, { domain: 1, devid });
      assert.equal(await lab.add(1), 11);
      assert.equal(await lab.add(2), 0);
    },
  },
  {
    name: 'a controller with one port is one',
    async run(lab) {
      assert.equal(await lab.add(1, 1), 0);
      assert.equal(await lab.read('/local/domain/0/backend/vusb/1/0/num-ports'), '1');
      assert.equal(await lab.read('/local/domain/0/backend/vusb/1/0/port/2'), undefined);
    },
  },
  {
    name: 'a controller that usbback does not take is removed again',
    options: { usbback: 'never' },
    async run(lab) {
      lab.beHasty();
      const before = await lab.snapshot();
      const error = await failure(() => addController(lab.host, { domain: 1 }));
      assert.equal(error.code, 'state-timeout');
      assert.equal(error.group, 'host');
      assertSentence(error.message, ['usbback', 'controller 0 of u1 (domain 1)', '10 s']);
      assert.deepEqual([error.where, error.leftOver], [{ domid: 1, devid: 0 }, []]);
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'a removed controller leaves the host as it was',
    async run(lab) {
      const before = await lab.snapshot();
      const devid = await lab.add(1);
      await removeController(lab.host, { domain: 1, devid });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'removing one of two controllers leaves the other as it was',
    async run(lab) {
      await lab.add(1);
      await lab.attach(1, '4-1');
      await lab.add(2);
      const before = await lab.snapshot();
      const devid = await lab.add(1);
      await removeController(lab.host, { domain: 1, devid });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'removing a controller gives its devices back first',
    async run(lab) {
      const before = await lab.snapshot();
      const devid = await lab.add(1);
      for (const device of ['4-1', '3-6', '3-7', '3-8', '3-5.1']) await lab.attach(1, device);
      await removeController(lab.host, { domain: 'u1', devid });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'destroying a controller does not wait for a guest that never answers',
    options: { world: { ...labWith(), domains: [{ ...labWith().domains[0]!, driver: false }] } },
    async run(lab) {
      const before = await lab.snapshot();
      const devid = await lab.add(1);
      await lab.attach(1, '4-1');
      await removeController(lab.host, { domain: 1, devid, destroy: true });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'a removal that the guest does not answer can be finished by destroying',
    options: { world: { ...labWith(), domains: [{ ...labWith().domains[0]!, driver: false }] } },
    async run(lab) {
      const before = await lab.snapshot();
      const devid = await lab.add(1);
      await lab.attach(1, '4-1');
      lab.beHasty();
      const error = await failure(() => removeController(lab.host, { domain: 1, devid }));
      assert.equal(error.code, 'state-timeout');
      assertSentence(error.message, ['guest', 'u1 (domain 1)', `controller ${devid}`, '10 s']);
      assert.deepEqual(error.where, { domid: 1, devid });
      assert.match(error.leftOver.join(), /Controller 0 of u1 \(domain 1\) is being removed/);
      assert.match(error.remedy, /destroy/);
      assert.equal(lab.driver('4-1:1.0'), 'usb-storage');
      await removeController(lab.host, { domain: 1, devid, destroy: true });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'a controller whose backend is gone can be removed',
    async run(lab) {
      const before = await lab.snapshot();
      const devid = await lab.add(1);
      await lab.rm('/local/domain/0/backend/vusb/1');
      await lab.sim.idle();
      await removeController(lab.host, { domain: 1, devid });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'controllers are listed for one domain or for all, by number and by name',
    options: {
      world: labWith(
        controllerOf({ domid: 1, devid: 0 }),
        controllerOf({ domid: 1, devid: 10, portCount: 31 }),
        controllerOf({ domid: 2, devid: 3, version: 1 }),
      ),
    },
    async run(lab) {
      const list = async (domain?: string | number): Promise<string[]> => {
        const { controllers } = await listInventory(lab.host, { domain });
        return controllers.map(
          ({ domid, devid, version, ports }) => `${domid}/${devid} v${version} ${ports.length}`,
        );
      };
      assert.deepEqual(await list(), ['1/0 v2 2', '1/10 v2 31', '2/3 v1 2']);
      assert.deepEqual(await list(1), ['1/0 v2 2', '1/10 v2 31']);
      assert.deepEqual(await list('1'), await list('u1'));
      assert.deepEqual(await list('u2'), ['2/3 v1 2']);
    },
  },
  {
    name: 'a controller is shown by its number, with what the guest has written',
    async run(lab) {
      await addController(lab.host, { domain: 2, devid: 4, ports: 2 });
      await lab.attach(2, '3-8');
      await lab.sim.idle();
      const info = await controllerInfo(lab.host, { domain: 'u2', devid: 4 });
      assert.equal(info.backend, '/local/domain/0/backend/vusb/2/4');
      assert.equal(info.frontend, '/local/domain/2/device/vusb/4');
      assert.equal(info.backendState, 4);
      assert.deepEqual(info.untrustedFrontend, { state: 4, eventChannel: 8, urbRingRef: 8, connRingRef: 9 });
      // Each costs a read, and plans need none of them.
      const frontendOf = ({ controllers }: Inventory) =>
        controllers.find(({ devid }) => devid === 4)?.untrustedFrontend;
      assert.deepEqual(frontendOf(await observe(lab.host)), { state: 4 });
      assert.deepEqual(frontendOf(await observe(lab.host, { rings: true })), info.untrustedFrontend);
      assert.deepEqual(info.ports, [{ port: 1, busid: '3-8' }, { port: 2 }]);
      assert.deepEqual([info.type, info.version, info.backendDomid, info.online], ['pv', 2, 0, true]);
    },
  },
  {
    name: 'a dry run of adding or removing changes nothing',
    async run(lab) {
      const devid = await lab.add(1);
      await lab.attach(1, '3-6');
      const before = await lab.snapshot();
      const dry = { dryRun: true };
      const { result, plan } = await addController(lab.host, { domain: 1 }, dry);
      assert.equal(result.devid, devid + 1);
      assert.equal(plan.steps.length, 2);
      await removeController(lab.host, { domain: 1, devid }, dry);
      await removeController(lab.host, { domain: 1, devid, destroy: true }, dry);
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  },
  {
    name: 'what a dead domain leaves behind is found and cleaned up, and devices are given back',
    async run(lab) {
      await lab.attach(1, '3-6');
      await lab.attach(1, '4-1');
      await lab.attach(2, '3-8');
      await lab.sim.idle();
      await lab.sim.killDomain(1, { leaveRecords: true });
      const { findings } = await doctor(lab.host, { settleMs: 0 });
      assert.deepEqual(
        findings.map(({ finding }) => finding),
        ['dead-domain'],
      );
      const { remaining, failures } = await doctor(lab.host, { settleMs: 0, fix: true });
      assert.deepEqual([remaining, failures], [[], []]);
      assert.equal(lab.driver('4-1:1.0'), 'usb-storage');
      assert.equal(lab.driver('3-6:1.1'), 'snd-usb-audio');
      assert.equal(lab.driver('3-8:1.0'), 'usbback');
      assert.deepEqual(
        (await listDevices(lab.host)).map(({ domid, busid }) => [domid, busid]),
        [[2, '3-8']],
      );
    },
  },
];
