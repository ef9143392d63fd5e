/** What libxl stores about a domain says what the domain has (I8), whatever happens. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  addController,
  attachDevice,
  describeFinding,
  detachDevice,
  doctor,
  releaseDomain,
  removeController,
} from '../../../src/pvusb/index.js';
import { labWorld, qemuWorld } from '../../../src/sim/index.js';
import { BARE, hostdev, openSaved, replug } from '../support/saved-configs.js';
import { failure } from '../support/test-host.js';

describe('the saved configuration', () => {
  for (const [type, world, domid] of [
    ['pv', labWorld(), 1],
    ['qusb', qemuWorld({ usbback: false }), 3],
    ['devicemodel', qemuWorld(), 4],
  ] as const) {
    test(`follows every operation: ${type}`, async () => {
      await using saved = await openSaved(world);
      const { host } = saved;
      await attachDevice(host, { domain: domid, device: '4-1' });
      const ports = type === 'devicemodel' ? 6 : 8;
      const usbctrls = [{ type, devid: 0, version: 2, ports }];
      assert.deepEqual(saved.settings(domid), { usbctrls, usbdevs: [hostdev(0, 1, 4, 2)] });
      await attachDevice(host, { domain: domid, device: '1-1', devid: 0, port: 3 });
      assert.deepEqual(saved.settings(domid).usbdevs, [hostdev(0, 1, 4, 2), hostdev(0, 3, 1, 2)]);
      await detachDevice(host, { device: '4-1' });
      assert.deepEqual(saved.settings(domid).usbdevs, [hostdev(0, 3, 1, 2)]);
      await removeController(host, { domain: domid, devid: 0 });
      assert.equal(saved.text(domid), BARE);
      await addController(host, { domain: domid });
      assert.deepEqual(saved.settings(domid), { usbctrls });
      await releaseDomain(host, { domain: domid });
      assert.equal(saved.text(domid), BARE);
    });
  }

  test('is as it was after an attach that failed', async () => {
    await using saved = await openSaved();
    saved.lab.sim.usb.failBind({ interface: '3-6:1.1', driver: 'usbback' }, 'EIO', 1);
    await failure(() => attachDevice(saved.host, { domain: 1, device: '3-6' }));
    assert.equal(saved.text(1), BARE);
    await saved.assertSound();
  });

  test('that cannot be used makes an attach fail, and changes nothing', async () => {
    await using saved = await openSaved();
    writeFileSync(saved.file(1), '{ "usbdevs": [');
    const before = await saved.lab.snapshot();
    const error = await failure(() => attachDevice(saved.host, { domain: 1, device: '4-1' }));
    assert.equal(error.code, 'config-unusable');
    assert.deepEqual(await saved.lab.snapshot(), before);
    assert.equal(saved.text(1), '{ "usbdevs": [');
    const { findings } = await doctor(saved.host, { settleMs: 0 });
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      ['config-unreadable'],
    );
  });

  test('that cannot be used prevents no device from going back to its host', async () => {
    await using saved = await openSaved();
    await attachDevice(saved.host, { domain: 1, device: '4-1' });
    writeFileSync(saved.file(1), 'no JSON');
    await detachDevice(saved.host, { device: '4-1' });
    await removeController(saved.host, { domain: 1, devid: 0 });
    assert.equal(saved.lab.driver('4-1:1.0'), 'usb-storage');
    assert.equal(saved.text(1), 'no JSON');
  });

  test('that another program holds is waited for, with a limit, and reported', async () => {
    await using saved = await openSaved();
    const { uuid } = labWorld().domains[0]!;
    const before = await saved.lab.snapshot();
    await saved.host.userdata!.withLock({ domid: 1, uuid: uuid! }, {}, async () => {
      saved.lab.beHasty();
      const error = await failure(() => attachDevice(saved.host, { domain: 1, device: '4-1' }));
      assert.equal(error.code, 'config-locked');
      saved.lab.bePatient();
    });
    assert.deepEqual(await saved.lab.snapshot(), before);
    await saved.assertSound();
  });

  test('of a domain that libxl did not build does not exist, and is not needed', async () => {
    await using saved = await openSaved();
    rmSync(saved.file(1));
    await attachDevice(saved.host, { domain: 1, device: '4-1' });
    await detachDevice(saved.host, { device: '4-1' });
    await saved.assertSound();
  });
});

describe('the doctor', () => {
  test('corrects an address that has changed, so that a reboot by xl finds the right device', async () => {
    await using saved = await openSaved(qemuWorld({ usbback: false }));
    await attachDevice(saved.host, { domain: 3, device: '4-1' });
    // The world begins with a controller that no file mentions.
    await doctor(saved.host, { fix: true, settleMs: 0 });
    const address = await replug(saved.lab, '4-1');
    const { remaining } = await doctor(saved.host, { fix: true, settleMs: 0 });
    assert.deepEqual(remaining, []);
    assert.deepEqual(saved.settings(3).usbdevs, [hostdev(0, 1, 4, address)]);
    await saved.assertSound();
  });

  test('adds what is missing and removes what is left over, such as entries whose device libxl has lost', async () => {
    await using saved = await openSaved();
    await attachDevice(saved.host, { domain: 1, device: '4-1' });
    const text = saved.text(1);
    // As libxl 4.17 saves devices from a domain's configuration file (recorded): at a reboot it loses the guest because
    // of that.
    writeFileSync(
      saved.file(1),
      text.replace(/"usbdevs": \[[\s\S]*?\n {4}\],/, '"usbdevs": [{}, {"ctrl": 1, "port": 2}],'),
    );
    assert.deepEqual(saved.settings(1).usbdevs, [{}, { ctrl: 1, port: 2 }]);
    const { findings, remaining } = await doctor(saved.host, { fix: true, settleMs: 0 });
    assert.deepEqual(
      findings.map((finding) => describeFinding(finding)),
      [
        'The saved configuration of domain 1 does not match the domain: ' +
          'it lacks 4.2 in port 1 of controller 0, it names a device without a port, ' +
          'it names a device in port 2 of controller 1 that is not there.',
      ],
    );
    assert.deepEqual(remaining, []);
    assert.deepEqual(saved.settings(1).usbdevs, [hostdev(0, 1, 4, 2)]);
  });
});
