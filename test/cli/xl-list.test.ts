import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { formatUsbList } from '../../src/cli/xl/list.js';
import type { Controller, Inventory } from '../../src/pvusb/model/inventory.js';
import { labWorld, shortWorld } from '../../src/sim/index.js';
import { parseBusid } from '../../src/sysfs/index.js';
import { openStage, type Stage } from './stage.js';

const HEADER = 'Devid  Type         BE  state usb-ver ports\n';

function controller(change: Partial<Controller>): Controller {
  return {
    domid: 1,
    devid: 0,
    type: 'pv',
    version: 2,
    portCount: 1,
    backendDomid: 0,
    online: true,
    untrustedFrontend: { state: 4 },
    ports: [{ port: 1 }],
    strayPorts: [],
    ...change,
  };
}

function listed(...controllers: readonly Controller[]): string {
  const nothing = { devices: [], domains: [], savedDrivers: [], qemus: [], saved: [], orphanBackends: [] };
  const inventory: Inventory = { format: 'pvusb-inventory-1', usbback: true, ...nothing, controllers };
  return formatUsbList(inventory);
}

describe('the text of usb-list', () => {
  it('is empty without controllers', () => {
    assert.equal(listed(), '');
  });

  it('pads what is short and does not cut what is long', () => {
    assert.equal(
      listed(controller({ devid: 1234567, backendDomid: 12345, portCount: 31, ports: [] })),
      `${HEADER}1234567 pv           12345 4     2       31   \n`,
    );
  });

  it('has state -1 where the guest has written none', () => {
    assert.equal(
      listed(controller({ untrustedFrontend: {} })),
      `${HEADER}0      pv           0   -1    2       1    \n  Port 1:\n`,
    );
  });

  it('has state 0 for a controller of the device model', () => {
    const text = listed(controller({ type: 'devicemodel', version: 3, ports: [] }));
    assert.equal(text, `${HEADER}0      devicemodel  0   0     3       1    \n`);
  });

  it('shows the port of a device that was pulled out as empty', () => {
    const busid = parseBusid('4-1')!;
    const text = listed(controller({ ports: [{ port: 1, busid }, { port: 2 }] }));
    assert.equal(text.split('\n').slice(2).join('\n'), '  Port 1:\n  Port 2:\n');
  });
});

describe('usb-list on a host', () => {
  let stage: Stage;
  before(async () => {
    const { devices, ...rest } = labWorld();
    // The addresses that the recorded host had later.
    const moved = devices.map((device) => (device.busid === '3-6' ? { ...device, address: 11 } : device));
    stage = await openStage({ ...rest, devices: moved });
  });
  after(() => stage[Symbol.asyncDispose]());

  it('prints nothing for a guest without controllers', async () => {
    assert.deepEqual(await stage.run('usb-list', 'u1'), { status: 0, stdout: '', stderr: '' });
  });

  it('prints what xl printed on the recorded host, byte for byte', async () => {
    await stage.done('usbctrl-attach', 'u1');
    await stage.done('usbctrl-attach', 'u1', 'type=pv', 'version=2', 'ports=4');
    await stage.done('usbctrl-attach', 'u1', 'type=pv', 'version=1', 'ports=1');
    await stage.done('usbdev-attach', 'u1', 'hostbus=4', 'hostaddr=2', 'controller=1', 'port=1');
    await stage.done('usbdev-attach', 'u1', 'hostbus=3', 'hostaddr=11');
    await stage.done('usbdev-attach', 'u1', 'hostbus=0x3', 'hostaddr=0x8');
    await stage.sim.idle();
    const golden = `${HEADER}0      pv           0   4     2       8    
  Port 1: Bus 003 Device 00b
  Port 2: Bus 003 Device 008
  Port 3:
  Port 4:
  Port 5:
  Port 6:
  Port 7:
  Port 8:
${HEADER}1      pv           0   4     2       4    
  Port 1: Bus 004 Device 002
  Port 2:
  Port 3:
  Port 4:
${HEADER}2      pv           0   4     1       1    
  Port 1:
`;
    assert.equal(await stage.done('usb-list', 'u1'), golden);
    assert.equal(await stage.done('usb-list', '1'), golden);
    assert.equal(await stage.done('usb-list', '-v', 'u1'), golden);
  });

  it('still lists when a lent device has been pulled out', async () => {
    await stage.sim.unplug('4-1');
    const text = await stage.done('usb-list', 'u1');
    assert.match(text, /^ {2}Port 1: Bus 003 Device 00b$/m);
    assert.ok(!text.includes('Bus 004'));
  });

  it('gives the same as data with --json', async () => {
    const data = JSON.parse(await stage.done('usb-list', 'u1', '--json')) as Controller[];
    assert.deepEqual(
      data.map(({ devid, portCount, ports }) => [devid, portCount, ports[0]?.busid]),
      [
        [0, 8, '3-6'],
        [1, 4, '4-1'],
        [2, 1, undefined],
      ],
    );
  });
});

describe('usb-list for what others serve', () => {
  it('shows the controllers of QEMU as xl does', async () => {
    const { devices } = labWorld();
    await using stage = await openStage({
      ...shortWorld({
        usbback: false,
        devices: [],
        domains: [{ domid: 2, name: 'u2', type: 'pv' }],
        controllers: [{ domid: 2, devid: 0, type: 'qusb', ports: 4, devices: {} }],
      }),
      devices,
    });
    const golden = `${HEADER}0      qusb         0   4     2       4    
  Port 1:
  Port 2:
  Port 3:
  Port 4:
`;
    assert.equal(await stage.done('usb-list', 'u2'), golden);
  });
});
