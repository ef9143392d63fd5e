/** Devices between two owners: given to a QEMU and not opened, opened and not configured, just being given by xl. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addController, diagnose, doctor, listDevices, observe } from '../../../src/pvusb/index.js';
import { qemuWorld, type SimQemu } from '../../../src/sim/index.js';
import { type Lab, openSimulated } from '../support/test-host.js';

const [u2, h1] = [2, 4];
const QUSB_PORT = '/local/domain/0/backend/qusb/2/0/port/1';
const EMULATED_PORT = '/libxl/4/device/vusb/0/port/1';

const open = (): Promise<Lab> => openSimulated({ world: qemuWorld({ usbback: false }) });
const qemuOf = (lab: Lab, domid: number): SimQemu => lab.sim.qemus.get(domid)!;

async function stateOf(lab: Lab, busid: string): Promise<string | undefined> {
  const devices = await listDevices(lab.host);
  return devices.find((device) => device.busid === busid)?.state;
}

/** xl's `device_add` for what is in the socket. */
function giveByXl(lab: Lab, busid: string): Promise<unknown> {
  const [hostbus, hostaddr] = [Number.parseInt(busid, 10), lab.sim.usb.device(busid)!.address];
  const at = { bus: 'xenusb-0.0', port: '1', hostbus, hostaddr };
  return qemuOf(lab, h1).execute('device_add', {
    driver: 'usb-host',
    id: `xenusb-${hostbus}-${hostaddr}`,
    ...at,
  });
}

/** Attaches `4-1`, detaches it as xl does, and puts another device into that socket. */
async function withStaleRecord(lab: Lab): Promise<void> {
  await lab.attach(h1, '4-1');
  const { address, spec } = lab.sim.usb.device('4-1')!;
  await qemuOf(lab, h1).execute('device_del', { id: `xenusb-4-${address}` });
  await lab.write(EMULATED_PORT, '');
  await lab.sim.unplug('4-1');
  await lab.sim.plug({ ...spec, serial: 'OTHER' });
  await lab.sim.idle();
}

describe('a device that had no driver', () => {
  test('and that QEMU cannot open is not said to wait for the guest', async () => {
    await using lab = await open();
    qemuOf(lab, u2).refuseOpen('3-8');
    await lab.write(QUSB_PORT, '3-8');
    await lab.sim.idle();
    assert.equal(await stateOf(lab, '3-8'), 'not-opened');
    assert.deepEqual(await lab.found(), ['port-without-binding']);
  });
});

describe('a device that QEMU has open', () => {
  test('is kept by that guest when another toolstack writes it into a port of another guest', async () => {
    await using lab = await open();
    await lab.attach(h1, '4-1');
    qemuOf(lab, u2).refuseOpen('4-1');
    await lab.write(QUSB_PORT, '4-1');
    await lab.sim.idle();
    assert.deepEqual(await lab.found(), ['claimed-twice']);
    await doctor(lab.host, { fix: true, settleMs: 0 });
    assert.equal(await lab.read(QUSB_PORT), '');
    assert.equal(await stateOf(lab, '4-1'), 'in-use');
    assert.deepEqual(qemuOf(lab, h1).held, ['4-1']);
    await lab.assertSound();
  });

  test('is handed over again only while no other controller has something in the port with that number', async () => {
    await using lab = await open();
    lab.beHasty();
    await lab.attach(u2, '4-1');
    await addController(lab.host, { domain: u2 });
    const { address: _, ...again } = lab.sim.usb.device('4-1')!.spec;
    await lab.sim.unplug('4-1');
    await lab.sim.plug(again);
    await lab.sim.idle();
    assert.deepEqual(await lab.found(), ['unnoticed-device']);
    await doctor(lab.host, {
      fix: true,
      settleMs: 0,
      onStep: ({ step, phase }) => {
        if (step.act.do === 'release' && phase === 'done')
          void lab.write('/local/domain/0/backend/qusb/2/1/port/1', '3-7');
      },
    });
    await lab.sim.idle();
    assert.equal(qemuOf(lab, u2).alive, true);
    assert.deepEqual(qemuOf(lab, u2).held, ['3-7']);
    assert.equal(lab.driver('4-1:1.0'), 'usb-storage');
  });
});

describe('another device in the socket of one that xl has detached', () => {
  test('is left to xl, which is just giving it to a guest', async () => {
    await using lab = await open();
    lab.beHasty();
    await withStaleRecord(lab);
    await lab.write(EMULATED_PORT, '4-1');
    assert.deepEqual(await lab.found(), ['other-device']);
    let waitedMs = 0;
    const { findings } = await doctor(lab.host, {
      fix: true,
      onSettle: (settleMs) => {
        waitedMs = settleMs;
        void giveByXl(lab, '4-1');
      },
    });
    assert.equal(waitedMs, 11_000);
    assert.deepEqual(findings, []);
    assert.deepEqual(qemuOf(lab, h1).held, ['4-1']);
  });

  test('is not taken from an emulated controller while its guest boots', async () => {
    await using lab = await open();
    await withStaleRecord(lab);
    await lab.write(EMULATED_PORT, '4-1');
    await giveByXl(lab, '4-1');
    const seen = await observe(lab.host, { asks: () => [h1] });
    const devices = seen.devices.map((device) =>
      device.busid === '4-1'
        ? { ...device, interfaces: device.interfaces.map(({ driver, ...rest }) => rest) }
        : device,
    );
    assert.deepEqual(diagnose({ ...seen, devices }), []);
  });
});
