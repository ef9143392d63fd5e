/** attach, detach, list and doctor on a host that pvusb's own backend serves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  addController,
  applyUsb,
  attachDevice,
  controllerInfo,
  detachDevice,
  doctor,
  listDevices,
  observe,
  removeController,
} from '../../src/pvusb/index.js';
import { GuestStorage } from '../../src/sim/frontend/index.js';
import { failure } from '../core/support/test-host.js';
import { operated } from './stage.js';

describe('a device', () => {
  it('is lent through a controller of type pv, used, and given back to its driver', async () => {
    const { served, host } = await operated();
    await using _ = served;
    const before = served.sim.usb.device('4-1')?.interfaces.map(({ driver }) => driver);
    const { plan, result } = await attachDevice(host, { domain: 'u1', device: '4-1' }, { watchMs: 0 });
    assert.deepEqual([result.type, result.devid, result.port], ['pv', 0, 1]);
    assert.ok(plan.steps.some(({ why }) => why === 'let the pvusb backend open 4-1'));
    await served.settle();
    const guest = await served.guest(1);
    await guest.waitFor(1, true);
    assert.equal((await listDevices(host))[0]?.state, 'waiting');
    const storage = new GuestStorage(guest, await guest.enumerate(1));
    assert.equal(Buffer.compare(await storage.read(512, 512), served.image.subarray(512, 1024)), 0);
    await served.settle();
    assert.equal((await listDevices(host))[0]?.state, 'in-use');
    const info = await controllerInfo(host, { domain: 'u1', devid: 0 });
    assert.equal(info.server, 'the pvusb backend');
    assert.deepEqual((await doctor(host)).findings, []);
    assert.deepEqual((await observe(host)).backend?.ports, [{ domid: 1, devid: 0, port: 1, state: 4 }]);

    await detachDevice(host, { device: '4-1' });
    await served.settle();
    assert.deepEqual(
      served.sim.usb.device('4-1')?.interfaces.map(({ driver }) => driver),
      before,
    );
    assert.equal(guest.plugged.size, 0);
    await removeController(host, { domain: 'u1', devid: 0 });
    assert.deepEqual((await observe(host)).controllers, []);
    assert.deepEqual((await doctor(host)).findings, []);
  });

  it('goes back to its driver when another toolstack empties the port and forgets the record', async () => {
    const { served, host } = await operated();
    await using _ = served;
    await attachDevice(host, { domain: 'u1', device: '4-1' }, { watchMs: 0 });
    await served.settle();
    const { client, sim } = served;
    const record = '/libxl/usbback/4-1/4-1@1_0';
    // Libxl would bind it to what is there, while the backend still has it.
    assert.equal(await client.read(`${record}/driver_path`), undefined);
    assert.equal(await client.read(`${record}/driver`), '/sys/bus/usb/drivers/usb-storage');
    assert.deepEqual((await observe(host)).savedDrivers[0]?.drivers, [
      { interface: '4-1:1.0', driver: 'usb-storage' },
    ]);
    await client.write('/local/domain/0/backend/vusb/1/0/port/1', '');
    await client.rm('/libxl/usbback/4-1');
    await served.settle();
    assert.equal(sim.usb.device('4-1')?.interfaces[0]?.driver, 'usb-storage');
    assert.deepEqual((await doctor(host)).findings, []);
  });

  it('that a driver of the host has taken meanwhile is not with the guest, and the doctor says so, too', async () => {
    const { served, host } = await operated();
    await using _ = served;
    await attachDevice(host, { domain: 'u1', device: '4-1' }, { watchMs: 0 });
    await served.settle();
    const { usb } = served.sim;
    await usb.release('4-1:1.0');
    await usb.bind('usb-storage', '4-1:1.0');
    assert.equal((await listDevices(host))[0]?.state, 'not-opened');
    const { findings } = await doctor(host);
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      ['port-without-binding'],
    );
  });

  it('is lent by a configuration, and taken back by another', async () => {
    const { served, host } = await operated();
    await using _ = served;
    const devices = [{ device: '4-1' }, { device: '3-2' }];
    const { changes } = await applyUsb(host, { domain: 'u1', usb: { devices } });
    assert.deepEqual(
      changes.map(({ change }) => change),
      ['attached', 'attached'],
    );
    await served.settle();
    const ports = await listDevices(host);
    assert.deepEqual(
      ports.map(({ busid, devid, port }) => [busid, devid, port]),
      [
        ['4-1', 0, 1],
        ['3-2', 1, 1],
      ],
    );
    const one = await applyUsb(host, { domain: 'u1', usb: { devices: [{ device: '3-2' }] } });
    assert.deepEqual(
      one.changes.map(({ change, devid }) => [change, devid]),
      [
        ['detached', 0],
        ['removed', 0],
      ],
    );
    await served.settle();
    assert.deepEqual(
      (await applyUsb(host, { domain: 'u1', usb: { devices: [{ device: '3-2' }] } })).changes,
      [],
    );
  });

  it('that the backend cannot open stays with the host, and the reason is told', async () => {
    const { served, host } = await operated();
    await using _ = served;
    served.devices.delete('4-1');
    const error = await failure(() => attachDevice(host, { domain: 'u1', device: '4-1' }));
    assert.equal(error.code, 'not-opened');
    assert.match(error.message, /4-1 is not there/);
    await served.settle();
    assert.deepEqual((await observe(host)).controllers, []);
    assert.equal(served.sim.usb.device('4-1')?.interfaces[0]?.driver, 'usb-storage');
  });

  it('can be detached after the backend was killed: the doctor says that nobody serves', async () => {
    const { served, host, isAlive } = await operated();
    await using _ = served;
    await attachDevice(host, { domain: 'u1', device: '4-1' }, { watchMs: 0 });
    await served.settle();
    await served.kill();
    isAlive.value = false;
    const { findings } = await doctor(host);
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      ['no-usbback'],
    );
    const refused = await failure(() => addController(host, { domain: 'u1', type: 'pv' }));
    assert.equal(refused.code, 'no-usbback');
    await detachDevice(host, { device: '4-1' });
    assert.equal(served.sim.usb.device('4-1')?.interfaces[0]?.driver, 'usb-storage');
  });
});
