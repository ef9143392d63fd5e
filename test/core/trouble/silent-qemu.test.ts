/** What happens with a QEMU that does not answer, or not in time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addController, attachDevice, detachDevice, removeController } from '../../../src/pvusb/index.js';
import { QmpError } from '../../../src/qmp/index.js';
import { type QmpCommand, qemuWorld, type SimQemu } from '../../../src/sim/index.js';
import { compareWorlds } from '../support/invariants.js';
import { assertSentence, failure, type Lab, openSimulated } from '../support/test-host.js';

const [u2, h1] = [2, 4];

const open = (): Promise<Lab> => openSimulated({ world: qemuWorld({ usbback: false }) });
const qemuOf = (lab: Lab, domid: number): SimQemu => lab.sim.qemus.get(domid)!;

/** Makes the first command with this name end like this. */
function strike(qemu: SimQemu, name: string, fate: 'hang' | 'act-but-hang' | 'act-but-drop'): void {
  qemu.intercept = ({ execute }: QmpCommand) => {
    if (execute !== name) return 'pass';
    delete qemu.intercept;
    return fate;
  };
}

describe('a QEMU that does not answer', () => {
  test('13: but has acted: it is asked, and the attach is done', async () => {
    for (const fate of ['act-but-hang', 'act-but-drop'] as const) {
      await using lab = await open();
      lab.beHasty();
      await addController(lab.host, { domain: h1 });
      strike(qemuOf(lab, h1), 'device_add', fate);
      assert.equal(await lab.attach(h1, '4-1'), `${h1}/0/1`);
      await lab.assertSound();
    }
  });

  test('13: and has not acted: the attach fails, and the host is as it was', async () => {
    await using lab = await open();
    lab.beHasty();
    await addController(lab.host, { domain: h1 });
    const before = await lab.snapshot();
    strike(qemuOf(lab, h1), 'device_add', 'hang');
    assert.equal((await failure(() => lab.attach(h1, '4-1'))).code, 'qemu-timeout');
    assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
  });

  test('at all: an attach to an emulated controller is refused, one to qusb is judged by the drivers', async () => {
    await using lab = await open();
    lab.beHasty();
    await addController(lab.host, { domain: h1 });
    const other = qemuOf(lab, h1).connectQmp();
    other.start({ bytes: () => undefined, closed: () => undefined });
    await lab.refuses([
      { code: 'qemu-busy', says: ['h1 (domain 4)', 'QEMU'], act: () => lab.attach(h1, '4-1') },
    ]);
    other.close();
    const busy = async (): Promise<never> => {
      throw new QmpError('busy', 'connect', 'another program uses it');
    };
    const host = { ...lab.host, qemu: busy };
    assert.equal((await attachDevice(host, { domain: u2, device: '4-1' })).result.state, 'in-use');
    await detachDevice(host, { device: '4-1' });
    assert.deepEqual(lab.driversAt('4-1'), ['usb-storage']);
    await lab.assertSound();
  });

  test('while the guest lets go of a controller, but says then that it is gone: it is removed', async () => {
    await using lab = await open();
    lab.beHasty();
    await addController(lab.host, { domain: h1 });
    const qemu = qemuOf(lab, h1);
    // It acts upon the command, but neither that nor the next question is answered.
    qemu.intercept = ({ execute }: QmpCommand) => {
      if (execute !== 'device_del') return 'pass';
      strike(qemu, 'qom-list', 'hang');
      return 'act-but-hang';
    };
    await removeController(lab.host, { domain: h1, devid: 0 });
    assert.equal(await lab.read('/libxl/4/device/vusb'), undefined);
    await lab.assertSound();
  });

  test('a guest that does not let go of a controller is waited for, or not', async () => {
    await using lab = await open();
    lab.beHasty();
    await lab.attach(h1, '4-1');
    qemuOf(lab, h1).guestEjects = false;
    const error = await failure(() => removeController(lab.host, { domain: h1, devid: 0 }));
    assert.equal(error.code, 'state-timeout');
    assertSentence(error.message, ['controller 0 of h1 (domain 4)']);
    assert.match(error.leftOver.join(), /Controller 0 of h1 \(domain 4\) is being removed/);
    assert.match(error.remedy, /destroy/);
    assert.deepEqual(lab.driversAt('4-1'), ['usb-storage']);
    await removeController(lab.host, { domain: h1, devid: 0, destroy: true });
    assert.equal(await lab.read('/libxl/4/device/vusb'), undefined);
    // QEMU still has it: its number is not given to another one.
    assert.equal((await addController(lab.host, { domain: h1 })).result.devid, 1);
    assert.deepEqual(await lab.found(), ['unrecorded-controller']);
  });
});
