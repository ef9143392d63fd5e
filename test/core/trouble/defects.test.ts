/** The defects of the 2016 patch and of libxl, as things that do not happen here. The numbers are the reference's rows. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  addController,
  attachDevice,
  controllerInfo,
  detachDevice,
  doctor,
  type ExecuteOptions,
  listDevices,
} from '../../../src/pvusb/index.js';
import type { DeviceSpec } from '../../../src/sim/index.js';
import { compareWorlds } from '../support/invariants.js';
import { controllerOf, failure, type Lab, labWith, openSimulated } from '../support/test-host.js';

const PORT = '/local/domain/0/backend/vusb/1/0/port/1';

/** A test on a recorded host whose domain 1 has a controller of two ports. */
function defect(name: string, run: (lab: Lab) => Promise<void>, options: { sound?: boolean } = {}): void {
  test(name, async () => {
    await using lab = await openSimulated({ world: labWith(controllerOf({ domid: 1, devid: 0 })) });
    await run(lab);
    if (options.sound !== false) await lab.assertSound();
  });
}

/** Does something as another toolstack would, after the plan is made and when its first step begins. */
function meanwhile(act: () => void): ExecuteOptions {
  let done = false;
  return {
    onStep: ({ phase }) => {
      if (phase !== 'begin' || done) return;
      done = true;
      act();
    },
  };
}

function keyboardAt(busid: string): DeviceSpec {
  const spec = { vendorId: '0627', productId: '0001', deviceClass: '00', speedMbps: 480, serial: 'K1' };
  return { busid, ...spec, interfaces: [{ number: 0, classes: '03/01/01' }] };
}

describe('defects of other programs', () => {
  defect(
    '1, 11: a failed rebind is an error, its record is kept, and a later attempt finishes the job',
    async (lab) => {
      const before = await lab.snapshot();
      await lab.attach(1, '4-1');
      lab.sim.usb.failBind('usb-storage', 'EIO');
      const error = await failure(() => detachDevice(lab.host, { device: '4-1' }));
      assert.equal(error.code, 'driver-not-restored');
      const record = '/libxl/usbback/4-1/4-1@1_0/driver_path';
      assert.equal(await lab.read(record), '/sys/bus/usb/drivers/usb-storage');
      assert.equal(await lab.read(PORT), '');
      lab.sim.usb.clearFaults();
      await doctor(lab.host, { fix: true, settleMs: 0 });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  );

  defect('1, 11: the record of a failed rebind outlives another attach', async (lab) => {
    const before = await lab.snapshot();
    await lab.attach(1, '4-1');
    lab.sim.usb.failBind('usb-storage', 'EIO');
    await failure(() => detachDevice(lab.host, { device: '4-1' }));
    lab.sim.usb.clearFaults();
    await lab.attach(1, '4-1');
    await detachDevice(lab.host, { device: '4-1' });
    assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
  });

  defect('2: names longer than eight bytes are bound and unbound whole', async (lab) => {
    const hub = lab.sim.usb.device('3-5')!.spec;
    await lab.sim.plug({ ...hub, busid: '3-5.2' });
    await lab.sim.plug(keyboardAt('3-5.2.1'));
    await lab.attach(1, '3-5.2.1');
    assert.equal(lab.driver('3-5.2.1:1.0'), 'usbback');
    await detachDevice(lab.host, { device: '3-5.2.1' });
    assert.equal(lab.driver('3-5.2.1:1.0'), 'usbhid');
  });

  defect('3: every device of every controller is listed', async (lab) => {
    await addController(lab.host, { domain: 1, devid: 3 });
    await lab.attach(1, '4-1', { devid: 3, port: 8 });
    await lab.attach(1, '3-6', { devid: 0, port: 2 });
    const told = (await listDevices(lab.host, { domain: 1 })).map(
      ({ devid, port, busid, device }) => `${devid}/${port} ${busid} ${device?.product}`,
    );
    assert.deepEqual(told, ['0/2 3-6 QEMU USB Audio', '3/8 4-1 QEMU USB HARDDRIVE']);
  });

  defect('4: an unknown busid is an error of its own', async (lab) => {
    assert.equal((await failure(() => lab.attach(1, '3-77'))).code, 'no-such-device');
    assert.equal((await failure(() => detachDevice(lab.host, { device: '3-77' }))).code, 'no-such-device');
  });

  defect('5: both ring references of a frontend are read', async (lab) => {
    const { untrustedFrontend } = await controllerInfo(lab.host, { domain: 1, devid: 0 });
    assert.deepEqual(untrustedFrontend, { state: 4, eventChannel: 8, urbRingRef: 8, connRingRef: 9 });
  });

  defect('6: a device class is read as hexadecimal', async (lab) => {
    await lab.sim.plug({ ...keyboardAt('3-9'), deviceClass: '10' });
    await lab.sim.plug({ ...keyboardAt('3-10'), deviceClass: 'e0' });
    assert.equal((await failure(() => lab.attach(1, '3-5'))).code, 'is-hub');
    await lab.attach(1, '3-9');
    await lab.attach(1, '3-10');
  });

  defect(
    '7: a device that was pulled out blocks no other one, is shown, and its port can be freed',
    async (lab) => {
      await lab.attach(1, '4-1');
      await lab.sim.unplug('4-1');
      assert.equal(await lab.attach(1, '3-4'), '1/0/2');
      assert.equal(await lab.attach(2, '3-6'), '2/0/1');
      const [missing] = await listDevices(lab.host, { domain: 1 });
      assert.deepEqual(missing, { domid: 1, devid: 0, port: 1, busid: '4-1', state: 'missing' });
      await detachDevice(lab.host, { domain: 1, devid: 0, port: 1 });
      assert.equal(await lab.read(PORT), '');
      assert.equal(await lab.read('/libxl/usbback/4-1'), undefined);
    },
  );

  defect(
    '8: a controller added for a device is waited for, and removed when the attach fails',
    async (lab) => {
      const before = await lab.snapshot();
      lab.sim.usbback!.manner = 'never';
      lab.beHasty();
      assert.equal((await failure(() => lab.attach(2, '4-1'))).code, 'state-timeout');
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
      lab.sim.usbback!.manner = 'prompt';
      lab.sim.usb.failBind('usbback', 'ENODEV');
      assert.equal((await failure(() => lab.attach(2, '4-1'))).code, 'sysfs-failed');
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
    },
  );

  defect('9: a port that the controller does not have is refused', async (lab) => {
    for (const port of [99, -1, 0, 3]) {
      const error = await failure(() => lab.attach(1, '4-1', { devid: 0, port }));
      assert.equal(error.code, 'no-such-port');
      assert.equal(await lab.read(`/local/domain/0/backend/vusb/1/0/port/${port}`), undefined);
    }
  });

  defect(
    '10: a port taken at the last moment stays with whoever took it',
    async (lab) => {
      const request = { domain: 1, device: '4-1', devid: 0, port: 1 };
      const other = meanwhile(() => void lab.sim.store.handle(0).write(PORT, '3-4'));
      const error = await failure(() => attachDevice(lab.host, request, other));
      assert.equal(error.code, 'port-in-use');
      assert.equal(await lab.read(PORT), '3-4');
      assert.equal(lab.sim.store.openTransactions, 0);
      assert.equal(lab.driver('4-1:1.0'), 'usb-storage');
    },
    { sound: false },
  );

  defect(
    '10: if the chosen port is taken at the last moment, another one is chosen',
    async (lab) => {
      const other = meanwhile(() => void lab.sim.store.handle(0).write(PORT, '3-4'));
      const { result } = await attachDevice(lab.host, { domain: 1, device: '4-1' }, other);
      assert.equal(result.port, 2);
    },
    { sound: false },
  );

  defect('10: a device taken by another domain at the last moment stays there', async (lab) => {
    await lab.add(2);
    const theirs = '/local/domain/0/backend/vusb/2/0/port/1';
    const other = meanwhile(() => void lab.sim.store.handle(0).write(theirs, '4-1'));
    const error = await failure(() => attachDevice(lab.host, { domain: 1, device: '4-1' }, other));
    assert.equal(error.code, 'already-attached');
    assert.equal(error.where.domid, 2);
    assert.equal(await lab.read(PORT), '');
    await lab.write(theirs, '');
  });

  defect(
    '14: a saved driver is not for another device that is plugged into its socket',
    async (lab) => {
      await lab.attach(1, '1-1');
      await lab.sim.unplug('1-1');
      await lab.sim.plug(keyboardAt('1-1'));
      assert.equal(lab.driver('1-1:1.0'), 'usbhid');
      await detachDevice(lab.host, { device: '1-1' });
      assert.equal(lab.driver('1-1:1.0'), 'usbhid');
      assert.equal(await lab.read('/libxl/usbback'), undefined);
    },
    { sound: false },
  );

  defect('14: what another toolstack saved for a socket does not harm the device in it now', async (lab) => {
    await lab.write('/libxl/usbback/3-4/3-4@1_0/driver_path', '/sys/bus/usb/drivers/usb-storage');
    await lab.attach(1, '3-4');
    await detachDevice(lab.host, { device: '3-4' });
    assert.equal(lab.driver('3-4:1.0'), 'ftdi_sio');
  });

  defect('15: numbers mean what they say, and an unknown domain is not an empty one', async (lab) => {
    for (const hostaddr of [256 + 9, 99]) {
      const error = await failure(() =>
        attachDevice(lab.host, { domain: 1, device: { hostbus: 3, hostaddr } }),
      );
      assert.equal(error.code, 'no-such-device');
    }
    const decimal = await attachDevice(lab.host, { domain: 1, device: '3.09' }, { dryRun: true });
    assert.equal(decimal.result.busid, '3-8');
    assert.equal((await failure(() => listDevices(lab.host, { domain: 77 }))).code, 'no-such-domain');
    assert.equal((await failure(() => listDevices(lab.host, { domain: '77' }))).code, 'no-such-domain');
  });

  defect('16: detaching from an unknown controller is an error', async (lab) => {
    const error = await failure(() => detachDevice(lab.host, { domain: 1, devid: 9, port: 1 }));
    assert.equal(error.code, 'no-such-controller');
  });

  defect('17: type pv without usbback is refused at once, and nothing is left', async (lab) => {
    await lab.sim.unloadUsbback();
    const before = await lab.snapshot();
    const add = (): Promise<unknown> => addController(lab.host, { domain: 2, type: 'pv' });
    assert.equal((await failure(add)).code, 'no-usbback');
    assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
  });

  defect('18: a driver of several interfaces takes all of them back', async (lab) => {
    const before = await lab.snapshot();
    for (const device of ['3-6', '3-7']) {
      await lab.attach(1, device);
      await detachDevice(lab.host, { device });
      assert.deepEqual(compareWorlds(before, await lab.snapshot()), [], device);
    }
  });

  defect('18: one interface that is not taken back does not keep the others', async (lab) => {
    const two = keyboardAt('3-9');
    const interfaces = [two.interfaces[0]!, { number: 1, classes: '08/06/50' }];
    await lab.sim.plug({ ...two, interfaces });
    await lab.attach(1, '3-9');
    lab.sim.usb.failBind('usbhid', 'EIO');
    const error = await failure(() => detachDevice(lab.host, { device: '3-9' }));
    assert.match(error.message, /3-9:1\.0/);
    assert.equal(lab.driver('3-9:1.1'), 'usb-storage');
    assert.equal(await lab.read('/libxl/usbback/3-9/3-9@1_1'), undefined);
    lab.sim.usb.clearFaults();
    await doctor(lab.host, { fix: true, settleMs: 0 });
    assert.equal(lab.driver('3-9:1.0'), 'usbhid');
  });

  defect('22: a hub, a root hub and an unknown device are distinguished', async (lab) => {
    const codes: string[] = [];
    for (const device of ['3-5', 'usb3', '3.99'])
      codes.push((await failure(() => lab.attach(1, device))).code);
    assert.deepEqual(codes, ['is-hub', 'is-root-hub', 'no-such-device']);
  });

  defect('23: the states of its controller show that a guest has no driver', async (lab) => {
    await lab.sim.addDomain({ domid: 3, driver: false });
    await lab.attach(3, '4-1');
    const info = await controllerInfo(lab.host, { domain: 3, devid: 0 });
    assert.deepEqual([info.backendState, info.untrustedFrontend], [2, { state: 1 }]);
  });
});
