/** What a QEMU does that it should not: dies, hangs, refuses, keeps, or has what nobody gave it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  addController,
  attachDevice,
  controllerInfo,
  detachDevice,
  doctor,
  listDevices,
  removeController,
} from '../../../src/pvusb/index.js';
import { type QmpCommand, qemuWorld, type SimQemu } from '../../../src/sim/index.js';
import { compareWorlds } from '../support/invariants.js';
import { assertSentence, failure, type Lab, openSimulated } from '../support/test-host.js';
import { Watching } from '../support/watching.js';

const [u2, h1] = [2, 4];
const PORT = '/local/domain/0/backend/qusb/2/0/port/1';

const open = (): Promise<Lab> => openSimulated({ world: qemuWorld({ usbback: false }) });
const qemuOf = (lab: Lab, domid: number): SimQemu => lab.sim.qemus.get(domid)!;
const fix = { fix: true, settleMs: 0 };

async function stateOf(lab: Lab, busid: string): Promise<string | undefined> {
  const devices = await listDevices(lab.host);
  return devices.find((device) => device.busid === busid)?.state;
}

describe('a QEMU that cannot open a device', () => {
  for (const [domain, name] of [
    [u2, 'qusb'],
    [h1, 'devicemodel'],
  ] as const) {
    test(`of type ${name}: the attach fails, and the host is as it was`, async () => {
      await using lab = await open();
      lab.beHasty();
      const before = await lab.snapshot();
      qemuOf(lab, domain).refuseOpen('3-7');
      const error = await failure(() => lab.attach(domain, '3-7'));
      assert.equal(error.code, 'not-opened');
      assertSentence(error.message, ['3-7', `(domain ${domain})`, 'QEMU']);
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
      qemuOf(lab, domain).refuseOpen('3-7', false);
      await lab.attach(domain, '3-7');
      await lab.assertSound();
    });
  }

  test('a port that another toolstack gave it is shown, and repaired', async () => {
    await using lab = await open();
    qemuOf(lab, u2).refuseOpen('4-1');
    await lab.write(PORT, '4-1');
    await lab.sim.idle();
    assert.equal(await stateOf(lab, '4-1'), 'not-opened');
    assert.deepEqual(await lab.found(), ['port-without-binding']);
    assert.deepEqual((await doctor(lab.host, fix)).remaining, []);
    assert.equal(await lab.read(PORT), '');
    await lab.assertSound();
  });
});

describe('a QEMU that dies', () => {
  test('19: the doctor gives its devices back to the drivers they had', async () => {
    await using lab = await open();
    const natural = ['4-1', '3-6', '3-7'].map((busid) => lab.driversAt(busid));
    for (const busid of ['4-1', '3-6', '3-7']) await lab.attach(u2, busid);
    await qemuOf(lab, u2).kill();
    assert.deepEqual(lab.driversAt('3-6'), [undefined, undefined]);
    assert.equal(await stateOf(lab, '3-6'), 'not-opened');
    assert.equal((await controllerInfo(lab.host, { domain: u2, devid: 0 })).qemu?.health, 'dead');
    const { findings, remaining, failures } = await doctor(lab.host, fix);
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      ['dead-qemu'],
    );
    assert.deepEqual([remaining, failures], [[], []]);
    assert.deepEqual(
      ['4-1', '3-6', '3-7'].map((busid) => lab.driversAt(busid)),
      natural,
    );
    await lab.assertSound();
  });

  test('23: is reported at once, and nothing is written', async () => {
    await using lab = await open();
    await qemuOf(lab, u2).kill();
    const says = ['QEMU', 'u2 (domain 2)', 'died'];
    await lab.refuses([
      { code: 'qemu-dead', says, act: () => lab.attach(u2, '4-1') },
      { code: 'qemu-dead', says, act: () => addController(lab.host, { domain: u2 }) },
    ]);
  });

  test('a device is detached, and a controller is removed, without it', async () => {
    await using lab = await open();
    await lab.attach(u2, '4-1');
    await lab.attach(u2, '3-6');
    await qemuOf(lab, u2).kill();
    await detachDevice(lab.host, { device: '4-1' });
    await removeController(lab.host, { domain: u2, devid: 0 });
    assert.deepEqual(lab.driversAt('4-1'), ['usb-storage']);
    assert.deepEqual(lab.driversAt('3-6'), ['snd-usb-audio', 'snd-usb-audio']);
    assert.equal(await lab.read('/libxl/2/device/vusb'), undefined);
    await lab.assertSound();
  });

  test('19: with its guest: the drivers of what was attached here come back', async () => {
    await using lab = await open();
    await lab.attach(u2, '3-6');
    await qemuOf(lab, u2).kill();
    await lab.sim.killDomain(u2);
    assert.deepEqual(lab.driversAt('3-6'), [undefined, undefined]);
    assert.deepEqual(await lab.found(), ['stale-saved-driver']);
    assert.deepEqual((await doctor(lab.host, fix)).remaining, []);
    assert.deepEqual(lab.driversAt('3-6'), ['snd-usb-audio', 'snd-usb-audio']);
  });

  test('19: with its guest: the kernel finds drivers for what xl had attached', async () => {
    await using lab = await open();
    await lab.write(PORT, '4-1');
    await lab.sim.idle();
    await qemuOf(lab, u2).kill();
    await lab.sim.killDomain(u2);
    assert.deepEqual(lab.driversAt('4-1'), [undefined]);
    const { findings, idle, revived } = await doctor(lab.host, fix);
    assert.deepEqual([findings, idle, revived], [[], ['3-8', '4-1'], ['4-1']]);
    assert.deepEqual(lab.driversAt('4-1'), ['usb-storage']);
  });

  test('19: with its guest: a watch has the kernel find drivers for what it had, and for nothing else', async () => {
    await using lab = await open();
    await lab.write(PORT, '4-1');
    await lab.sim.idle();
    await using watch = new Watching(lab.host, { toolstackMs: 200 });
    await watch.until('watching');
    lab.beHasty();
    await qemuOf(lab, u2).kill();
    await lab.sim.killDomain(u2);
    assert.match((await watch.until('mended')).what, /^4-1 /);
    assert.deepEqual(lab.driversAt('4-1'), ['usb-storage']);
  });

  test('in the middle of a command leaves nothing in xenstore, or says what', async () => {
    await using lab = await open();
    const before = await lab.snapshot();
    qemuOf(lab, h1).intercept = ({ execute }: QmpCommand) => (execute === 'device_add' ? 'die' : 'pass');
    const error = await failure(() => lab.attach(h1, '4-1'));
    assert.equal(error.code, 'qemu-dead');
    assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
  });
});

describe('what is in a socket now', () => {
  test('a device other than the one lent: shown, and given back', async () => {
    await using lab = await open();
    await lab.attach(u2, '4-1');
    const { spec } = lab.sim.usb.device('4-1')!;
    await lab.sim.unplug('4-1');
    assert.equal(await stateOf(lab, '4-1'), 'missing');
    await lab.sim.plug({ ...spec, serial: 'OTHER' });
    await lab.sim.idle();
    // QEMU takes whatever is plugged in there.
    assert.deepEqual(qemuOf(lab, u2).held, ['4-1']);
    assert.equal(await stateOf(lab, '4-1'), 'other-device');
    assert.deepEqual(await lab.found(), ['other-device']);
    assert.deepEqual((await doctor(lab.host, fix)).remaining, []);
    assert.deepEqual(lab.driversAt('4-1'), ['usb-storage']);
    await lab.assertSound();
  });

  test('the same device, replugged: the guest has not noticed, and gets it again', async () => {
    await using lab = await open();
    await lab.attach(u2, '4-1');
    const { address: _, ...again } = lab.sim.usb.device('4-1')!.spec;
    await lab.sim.unplug('4-1');
    await lab.sim.plug(again);
    await lab.sim.idle();
    assert.equal(await stateOf(lab, '4-1'), 'waiting');
    assert.deepEqual(await lab.found(), ['unnoticed-device']);
    assert.deepEqual((await doctor(lab.host, fix)).remaining, []);
    assert.equal(await stateOf(lab, '4-1'), 'in-use');
    await lab.assertSound();
  });
});

describe('what nobody gave to a QEMU', () => {
  test('a device that it has in a free port is removed', async () => {
    await using lab = await open();
    await addController(lab.host, { domain: h1 });
    const at = { bus: 'xenusb-0.0', port: '2', hostbus: 3, hostaddr: lab.sim.usb.device('3-2')!.address };
    await qemuOf(lab, h1).execute('device_add', { driver: 'usb-host', id: 'xenusb-3-2', ...at });
    await lab.refuses([
      {
        code: 'port-in-use',
        says: ['ort 2', 'QEMU'],
        act: () => lab.attach(h1, '4-1', { devid: 0, port: 2 }),
      },
    ]);
    assert.deepEqual(await lab.found(), ['unrecorded-device']);
    assert.deepEqual((await doctor(lab.host, fix)).remaining, []);
    assert.deepEqual(lab.driversAt('3-2'), ['usbhid']);
    await lab.assertSound();
  });

  test('a device given to a guest without a driver is shown as not taken', async () => {
    await using lab = await open();
    await lab.sim.addDomain({ domid: 7, driver: false, deviceModel: true });
    const { result } = await attachDevice(lab.host, { domain: 7, device: '4-1' }, { watchMs: 0 });
    assert.equal(result.state, 'waiting');
    assert.deepEqual(qemuOf(lab, 7).held, ['4-1']);
    assert.deepEqual(await lab.found(), ['no-frontend']);
    await removeController(lab.host, { domain: 7, devid: 0 });
    assert.deepEqual(lab.driversAt('4-1'), ['usb-storage']);
    await lab.assertSound();
  });
});
