/** What a QEMU cannot do because of its version. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addController } from '../../../src/pvusb/index.js';
import { qemuWorld, type SimQemu } from '../../../src/sim/index.js';
import { compareWorlds } from '../support/invariants.js';
import { assertSentence, failure, type Lab, openSimulated } from '../support/test-host.js';

const [u2, h1] = [2, 4];

const open = (): Promise<Lab> => openSimulated({ world: qemuWorld({ usbback: false }) });
const qemuOf = (lab: Lab, domid: number): SimQemu => lab.sim.qemus.get(domid)!;

describe('a QEMU that ends when it is given a controller of type qusb', () => {
  const version = { qemu: { major: 10, minor: 0, micro: 13 }, package: 'Debian 1:10.0.13+ds-0+deb13u1' };

  test('is not given one: it keeps what it emulates', async () => {
    await using lab = await open();
    qemuOf(lab, h1).version = version;
    const before = await lab.snapshot();
    const error = await failure(() => addController(lab.host, { domain: h1, type: 'qusb' }));
    assert.equal(error.code, 'no-device-model');
    assertSentence(error.message, ['QEMU 10.0', `(domain ${h1})`, 'qusb']);
    assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    assert.ok(qemuOf(lab, h1).alive);
    await lab.attach(h1, '4-1');
    await lab.assertSound();
  });

  test('is told apart from one that serves such a controller', async () => {
    await using lab = await open();
    qemuOf(lab, u2).version = version;
    await lab.attach(u2, '4-1');
    await lab.assertSound();
  });
});
