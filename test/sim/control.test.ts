/** What is done to a simulated host from outside while it runs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ControlError,
  type ControlRequest,
  HostControl,
  labWorld,
  qemuWorld,
  SimHost,
} from '../../src/sim/index.js';

async function controlled(world = labWorld()) {
  const host = await SimHost.create(world);
  return { host, control: new HostControl(host) };
}

const NEW = JSON.stringify({
  format: 'pvusb-world-1',
  devices: [{ busid: '1-2', id: '1234:5678', speed: 480, interfaces: ['08/06/50'] }],
});

describe('what happens to a simulated host', () => {
  it('a device comes back with a new address, and to the driver that takes it', async () => {
    const { host, control } = await controlled();
    const { address } = host.usb.device('4-1')!;
    assert.deepEqual(await control.perform({ does: 'unplug', device: '4-1' }), { busids: ['4-1'] });
    assert.equal(host.usb.device('4-1'), undefined);
    assert.deepEqual(await control.perform({ does: 'plug', device: '4-1' }), { busids: ['4-1'] });
    assert.notEqual(host.usb.device('4-1')!.address, address);
    assert.equal(host.usb.driverOf('4-1:1.0'), 'usb-storage');
    await control.perform({ does: 'plug', device: '4-1', into: '4-2' });
    assert.equal(host.usb.device('4-2')!.spec.serial, 'LAB0001');
    await control.perform({ does: 'plug', device: '1-2', world: NEW });
    assert.equal(host.usb.device('1-2')!.spec.vendorId, '1234');
    await host.close();
  });

  it('a hub takes with it and brings back what is behind it, in another socket too', async () => {
    const { host, control } = await controlled();
    const gone = await control.perform({ does: 'unplug', device: '3-5' });
    assert.deepEqual(gone, { busids: ['3-5', '3-5.1'] });
    assert.equal(host.usb.device('3-5.1'), undefined);
    const back = await control.perform({ does: 'plug', device: '3-5', into: '3-9' });
    assert.deepEqual(back, { busids: ['3-9', '3-9.1'] });
    assert.equal(host.usb.driverOf('3-9.1:1.0'), 'usbhid');
    await host.close();
  });

  it('a guest ends with or without what it had, and a QEMU dies alone', async () => {
    const { host, control } = await controlled(qemuWorld({ usbback: false }));
    assert.deepEqual(await control.perform({ does: 'kill-qemu', domain: 'u2' }), { domid: 2 });
    assert.equal(host.qemus.get(2)!.alive, false);
    assert.ok(host.guests.has(2));
    await control.perform({ does: 'kill-guest', domain: '2' });
    assert.ok(!host.store.dump().includes('/libxl/2'));
    await control.perform({ does: 'kill-guest', domain: 'p1', leaveRecords: true });
    assert.ok(host.store.dump().includes('/libxl/3'));
    assert.deepEqual([...host.guests.keys()], [1, 4]);
    await host.close();
  });

  it('refuses what cannot happen, and changes nothing', async () => {
    const { host, control } = await controlled(qemuWorld({ usbback: false }));
    await control.perform({ does: 'kill-qemu', domain: 'u2' });
    const look = () => JSON.stringify([host.store.dump(), host.usb.devices]);
    const before = look();
    const refused: readonly (readonly [request: ControlRequest, code: string, says: string])[] = [
      [{ does: 'plug', device: '4-1' }, 'refused', '4-1 cannot be plugged in: 4-1 is already plugged in.'],
      [{ does: 'plug', device: '9-9' }, 'no-such-device', 'The host never had a device "9-9".'],
      [
        { does: 'plug', device: '4-1', into: '3-7.1.1' },
        'refused',
        '3-7.1.1 cannot be plugged in: there is no hub 3-7.1.',
      ],
      [{ does: 'plug', device: '4-1', into: '../../x' }, 'no-such-device', 'There is no socket "../../x".'],
      [{ does: 'plug', device: '9-9', world: NEW }, 'no-such-device', 'The file has no device "9-9".'],
      [{ does: 'plug', device: '9-9', world: '{' }, 'refused', 'The world is not JSON.'],
      [{ does: 'unplug', device: '9-9' }, 'no-such-device', 'No device "9-9" is plugged in.'],
      [{ does: 'kill-guest', domain: '0' }, 'no-such-domain', 'There is no guest "0".'],
      [{ does: 'kill-qemu', domain: 'u9' }, 'no-such-domain', 'There is no guest "u9".'],
      [{ does: 'kill-qemu', domain: 'u1' }, 'refused', 'Domain u1 has no QEMU.'],
      [{ does: 'kill-qemu', domain: '2' }, 'refused', 'The QEMU of domain 2 is already dead.'],
      [{ does: 'frob' } as unknown as ControlRequest, 'refused', 'That is no request to a simulated host.'],
    ];
    for (const [request, code, says] of refused) {
      await assert.rejects(control.perform(request), (error: unknown) => {
        assert.ok(error instanceof ControlError);
        assert.deepEqual([error.code, error.message], [code, says]);
        return true;
      });
    }
    assert.equal(look(), before);
    await host.close();
  });
});
