/** What the doctor reports and how bad it is: a different driver from before, a guest that has not noticed its device yet. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { describeFinding, detachDevice, doctor, severityOf } from '../../../src/pvusb/index.js';
import { qemuWorld } from '../../../src/sim/index.js';
import type { Busid } from '../../../src/sysfs/busid.js';
import { formatIdentity } from '../../../src/sysfs/identity.js';
import { compareWorlds } from '../support/invariants.js';
import { assertSentence, controllerOf, failure, labWith, openSimulated } from '../support/test-host.js';

const fix = { fix: true, settleMs: 0 };

describe('a device that is back with the host', () => {
  test('when its own driver refuses an interface, the kernel is asked for another, which is reported and can be undone', async () => {
    await using lab = await openSimulated({ world: labWith(controllerOf({ domid: 1, devid: 0 })) });
    await lab.sim.usb.addDriver({ name: 'spare', match: ['46f4:0001'] });
    await lab.attach(1, '4-1');
    lab.sim.usb.failBind('usb-storage', 'EIO');
    const error = await failure(() => detachDevice(lab.host, { device: '4-1' }));
    assert.equal(error.code, 'other-driver');
    assertSentence(error.message, ['4-1:1.0', 'spare', 'usb-storage']);
    assert.equal(lab.driver('4-1:1.0'), 'spare');
    const { findings } = await doctor(lab.host, { settleMs: 0 });
    assert.deepEqual(
      findings.map((finding) => describeFinding(finding)),
      ['4-1 is back with the host, but 4-1:1.0 is on spare, not on usb-storage.'],
    );
    // It stays a finding as long as its own driver refuses it.
    await doctor(lab.host, { fix: true, settleMs: 0 });
    assert.equal(lab.driver('4-1:1.0'), 'spare');
    lab.sim.usb.clearFaults();
    assert.deepEqual((await doctor(lab.host, { fix: true, settleMs: 0 })).remaining, []);
    assert.equal(lab.driver('4-1:1.0'), 'usb-storage');
    assert.equal(await lab.read('/libxl/usbback'), undefined);
    await lab.assertSound();
  });

  test('interfaces that QEMU gave back to other drivers are reported, and put back', async () => {
    await using lab = await openSimulated({ world: labWith(controllerOf({ domid: 1, devid: 0 })) });
    await lab.attach(1, '3-7');
    await lab.sim.usb.addDriver({ name: 'cdc_mbim', match: ['0525:a4a2/1'] });
    await detachDevice(lab.host, { device: '3-7' });
    // Another driver had one of them when the records were read again.
    await lab.write('/libxl/usbback/3-7/3-7@1_1/driver_path', '/sys/bus/usb/drivers/cdc_mbim');
    const [device] = await lab.host.sysfs.devices({ wanted: ['3-7' as Busid] });
    await lab.write('/libxl/usbback/3-7/device', formatIdentity(device!));
    const { findings } = await doctor(lab.host, { settleMs: 0 });
    assert.deepEqual(findings.map(severityOf), ['wrong']);
    assert.deepEqual((await doctor(lab.host, { fix: true, settleMs: 0 })).remaining, []);
    assert.equal(lab.driver('3-7:1.1'), 'cdc_mbim');
  });
});

describe('a device that QEMU has opened', () => {
  test('the same device, which a paused guest has not noticed yet, is left to it', async () => {
    await using lab = await openSimulated({ world: qemuWorld({ usbback: false }) });
    await lab.attach(2, '4-1');
    const before = await lab.snapshot();
    // What a paused guest looks like: QEMU has opened the device, and nothing has configured it.
    await lab.sim.usb.release('4-1:1.0');
    const { findings, plans } = await doctor(lab.host, { settleMs: 0 });
    assert.deepEqual(
      findings.map((finding) => [finding.finding, severityOf(finding)]),
      [['unnoticed-device', 'note']],
    );
    assert.match(describeFinding(findings[0]!), /paused/);
    assert.deepEqual(plans[0]!.steps, []);
    await doctor(lab.host, fix);
    await lab.sim.usb.claim('4-1:1.0');
    assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
  });
});

describe('a guest without a driver', () => {
  for (const [name, domid] of [
    ['pv', 1],
    ['qusb', 3],
  ] as const) {
    test(`is named as the likely cause, as a note, as long as it has a device: ${name}`, async () => {
      const { domains, ...rest } = qemuWorld({ usbback: true });
      const deaf = domains.map((domain) => (domain.domid === domid ? { ...domain, driver: false } : domain));
      await using lab = await openSimulated({ world: { ...rest, domains: deaf } });
      await lab.attach(domid, '4-1');
      const { findings, plans } = await doctor(lab.host, { settleMs: 0 });
      assert.deepEqual(findings.map(severityOf), ['note']);
      assert.match(
        describeFinding(findings[0]!),
        /its kernel has no PVUSB driver \(xen-hcd; see docs\/guests\.md\)\.$/,
      );
      assert.deepEqual(plans[0]!.steps, []);
      await detachDevice(lab.host, { device: '4-1' });
      assert.deepEqual((await doctor(lab.host, { settleMs: 0 })).findings, []);
    });
  }
});
