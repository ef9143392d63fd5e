/** The doctor: every kind of half-done work is found, shown and fixed, and nothing else is touched. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { KeyedMutex } from '../../../src/async/index.js';
import { attachDevice, doctor, type Finding, formatPlan } from '../../../src/pvusb/index.js';
import { compareWorlds } from '../support/invariants.js';
import { controllerOf, type Lab, labWith, openSimulated } from '../support/test-host.js';

const BACKEND = '/local/domain/0/backend/vusb/1/0';
const world = labWith(controllerOf({ domid: 1, devid: 0 }), controllerOf({ domid: 2, devid: 0 }));

/** A way to break a host; once fixed, it is as before. */
interface Harm {
  readonly finding: Finding['finding'];
  readonly how: string;
  make(lab: Lab): Promise<unknown>;
  /** Undoes what the doctor cannot: plugs in again. */
  after?(lab: Lab): Promise<unknown>;
  /** Lines that are gone for good. */
  readonly gone?: RegExp;
}

const HARMS: readonly Harm[] = [
  {
    finding: 'missing-device',
    how: 'an attached device is pulled out',
    async make(lab) {
      await lab.attach(1, '3-7');
      await lab.sim.unplug('3-7');
    },
    after: (lab) => lab.sim.plug(world.devices.find(({ busid }) => busid === '3-7')!),
  },
  {
    finding: 'port-without-binding',
    how: 'a port names a device that the host has',
    make: (lab) => lab.write(`${BACKEND}/port/1`, '3-7'),
  },
  {
    finding: 'port-without-binding',
    how: 'one interface of an attached device has left usbback',
    async make(lab) {
      await lab.attach(1, '3-7');
      await lab.sim.usb.unbind('usbback', '3-7:1.0');
    },
  },
  {
    finding: 'other-device',
    how: "another device is plugged into an attached one's socket",
    async make(lab) {
      await lab.attach(1, '3-7');
      await lab.sim.unplug('3-7');
      await lab.sim.plug({
        ...world.devices.find(({ busid }) => busid === '3-4')!,
        busid: '3-7',
        address: 8,
      });
    },
    async after(lab) {
      assert.equal(lab.driver('3-7:1.0'), 'ftdi_sio');
      await lab.sim.unplug('3-7');
      await lab.sim.plug(world.devices.find(({ busid }) => busid === '3-7')!);
    },
  },
  {
    finding: 'claimed-twice',
    how: 'two ports name one device, and the first one keeps it',
    make: (lab) => lab.write('/local/domain/0/backend/vusb/2/0/port/2', '3-6'),
  },
  {
    finding: 'bad-port',
    how: 'a port holds something that is not a name',
    make: (lab) => lab.write(`${BACKEND}/port/1`, '\u001b[2J'),
  },
  {
    finding: 'bad-port',
    how: 'a port beyond the last holds a device',
    make: (lab) => lab.write(`${BACKEND}/port/9`, '4-1'),
    async after(lab) {
      assert.equal(await lab.read(`${BACKEND}/port/9`), '');
      await lab.rm(`${BACKEND}/port/9`);
    },
  },
  {
    finding: 'binding-without-port',
    how: 'the port of an attached device was emptied',
    async make(lab) {
      await lab.attach(1, '3-7');
      await lab.write(`${BACKEND}/port/1`, '');
    },
  },
  {
    finding: 'stale-saved-driver',
    how: 'drivers are saved for a device that the host has',
    make: (lab) => lab.write('/libxl/usbback/3-4/3-4@1_0/driver_path', '/sys/bus/usb/drivers/ftdi_sio'),
  },
  {
    finding: 'stale-saved-driver',
    how: 'a driver has not taken its interface back',
    async make(lab) {
      await lab.sim.usb.unbind('ftdi_sio', '3-4:1.0');
      await lab.write('/libxl/usbback/3-4/3-4@1_0/driver_path', '/sys/bus/usb/drivers/ftdi_sio');
    },
  },
  {
    finding: 'stale-saved-driver',
    how: 'a saved driver is not the path of a driver',
    make: (lab) => lab.write('/libxl/usbback/3-4/3-4@1_0/driver_path', '/sys/bus/usb/drivers/../../../tmp'),
  },
  {
    finding: 'orphan-backend',
    how: 'a backend has lost its record',
    async make(lab) {
      const devid = await lab.add(1);
      await lab.rm(`/libxl/1/device/vusb/${devid}`);
    },
  },
  {
    finding: 'dead-domain',
    how: 'a domain has died with a device attached',
    async make(lab) {
      await lab.attach(1, '3-7');
      await lab.sim.killDomain(1, { leaveRecords: true });
    },
    gone: /^- (\/local\/domain\/1[/ ]|\/local\/domain\/0\/backend\/vusb\/1[/ ]|\/libxl\/1\/device)/,
  },
  {
    finding: 'half-removed',
    how: 'a removal has stopped after it began',
    async make(lab) {
      const devid = await lab.add(1);
      await lab.write(`/local/domain/0/backend/vusb/1/${devid}/online`, '0');
      await lab.write(`/local/domain/0/backend/vusb/1/${devid}/state`, '5');
    },
  },
  {
    finding: 'half-removed',
    how: 'a record has lost its backend',
    async make(lab) {
      const devid = await lab.add(1);
      await lab.rm(`/local/domain/0/backend/vusb/1/${devid}`);
    },
  },
  {
    finding: 'unserved-controller',
    how: 'usbback has never taken a controller',
    async make(lab) {
      lab.sim.usbback!.manner = 'never';
      await lab.sim.addController(controllerOf({ domid: 1, devid: 1 }));
    },
  },
];

/** A host with a device that is lent as it should be: what a repair must not touch. */
async function openHealthy(): Promise<Lab> {
  const lab = await openSimulated({ world });
  await lab.attach(2, '3-6');
  await lab.sim.idle();
  return lab;
}

describe('the doctor', () => {
  test('finds nothing on a healthy host', async () => {
    await using lab = await openHealthy();
    lab.beHasty();
    const before = await lab.snapshot();
    const { findings, plans, remaining } = await doctor(lab.host, { fix: true });
    assert.deepEqual([findings, plans, remaining], [[], [], []]);
    assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
  });

  for (const { finding, how, make, after, gone } of HARMS) {
    test(`finds and fixes ${finding}: ${how}`, async () => {
      await using lab = await openHealthy();
      const healthy = await lab.snapshot();
      await make(lab);
      const harmed = await lab.snapshot();

      const found = await doctor(lab.host, { settleMs: 0 });
      assert.deepEqual(
        found.findings.map((each) => each.finding),
        [finding],
      );
      assert.equal(found.plans.length, 1);
      assert.match(formatPlan(found.plans[0]!), /\n {2}1\. /);
      assert.deepEqual(compareWorlds(harmed, await lab.snapshot()), [], 'looking changes nothing');

      const mended = await doctor(lab.host, { settleMs: 0, fix: true });
      assert.deepEqual([mended.remaining, mended.failures], [[], []]);
      await after?.(lab);
      const left = compareWorlds(healthy, await lab.snapshot());
      assert.deepEqual(
        left.filter((line) => !gone?.test(line)),
        [],
      );
      await lab.assertSound();

      const world = await lab.snapshot();
      const again = await doctor(lab.host, { settleMs: 0, fix: true });
      assert.deepEqual(again.findings, []);
      assert.deepEqual(compareWorlds(world, await lab.snapshot()), [], 'a second time changes nothing');
    });
  }

  test('fixes many things at once', async () => {
    await using lab = await openHealthy();
    const healthy = await lab.snapshot();
    await lab.attach(1, '3-7');
    await lab.write(`${BACKEND}/port/1`, '');
    await lab.write('/local/domain/0/backend/vusb/2/0/port/2', '3-6');
    await lab.write('/libxl/usbback/4-1/4-1@1_0/driver_path', '/sys/bus/usb/drivers/usb-storage');
    const devid = await lab.add(1);
    await lab.rm(`/libxl/1/device/vusb/${devid}`);
    const { findings, remaining } = await doctor(lab.host, { settleMs: 0, fix: true });
    assert.equal(findings.length, 4);
    assert.deepEqual(remaining, []);
    assert.deepEqual(compareWorlds(healthy, await lab.snapshot()), []);
  });

  test('does not take what another program is just doing for a finding', async () => {
    await using lab = await openHealthy();
    const { host } = lab;
    let settling = 0;
    const clock = {
      ...host.clock,
      // The time in which the other one finishes.
      async sleep() {
        settling++;
        await lab.sim.usb.bind('usbback', '3-4:1.0');
      },
    };
    await lab.write(`${BACKEND}/port/1`, '3-4');
    await lab.sim.usb.unbind('ftdi_sio', '3-4:1.0');
    const { findings } = await doctor({ ...host, clock }, { fix: true });
    assert.deepEqual([findings, settling], [[], 1]);
    assert.equal(lab.driver('3-4:1.0'), 'usbback');
  });

  test('does not take a device off a guest that another operation of the same process is giving it to', async () => {
    await using lab = await openHealthy();
    await lab.attach(1, '3-7');
    await lab.write(`${BACKEND}/port/1`, '');
    const deviceTurns = new KeyedMutex<string>();
    let steps = 0;
    let attaching: Promise<void> | undefined;
    const { findings, remaining, failures } = await doctor(
      { ...lab.host, deviceTurns },
      {
        settleMs: 0,
        fix: true,
        revivable: () => false,
        onStep: () => steps++,
        onRepair() {
          attaching ??= deviceTurns.run(['3-7'], async () => {
            for (let turn = 0; turn < 50; turn++) await setImmediate();
            assert.equal(steps, 0, 'the repair went on beside it');
            await lab.write(`${BACKEND}/port/1`, '3-7');
          });
        },
      },
    );
    await attaching;
    assert.deepEqual([findings.length, remaining, failures, steps], [1, [], [], 0]);
    assert.equal(lab.driver('3-7:1.0'), 'usbback');
  });

  test('a failing repair is reported, remains a finding, and does not prevent the others', async () => {
    await using lab = await openHealthy();
    await lab.attach(1, '3-7');
    await attachDevice(lab.host, { domain: 1, device: '4-1' });
    await lab.write(`${BACKEND}/port/1`, '');
    await lab.write(`${BACKEND}/port/2`, '');
    lab.sim.usb.failBind('cdc_ether', 'EIO');
    const { remaining, failures } = await doctor(lab.host, { settleMs: 0, fix: true });
    assert.ok(failures.length > 0);
    assert.match(failures[0]!, /3-7:1\.0 has no driver now: cdc_ether did not take it back/);
    assert.deepEqual(
      remaining.map((finding) => finding.finding),
      ['stale-saved-driver'],
    );
    assert.equal(lab.driver('4-1:1.0'), 'usb-storage');
    lab.sim.usb.clearFaults();
    assert.deepEqual((await doctor(lab.host, { settleMs: 0, fix: true })).remaining, []);
    await lab.assertSound();
  });
});
