import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Inventory } from '../../src/pvusb/model/inventory.js';
import {
  labWorld,
  parseWorld,
  parseWorldText,
  SimHost,
  WORLD_TEXT_MAX,
  WorldError,
} from '../../src/sim/index.js';
import type { Busid, DriverName, InterfaceId } from '../../src/sysfs/index.js';

const SHORT = {
  format: 'pvusb-world-1',
  usbback: true,
  devices: [
    { busid: '1-1', id: '0409:55aa', class: '09' },
    {
      busid: '1-1.2',
      id: '046d:c52b',
      product: 'Receiver',
      interfaces: ['03/01/01', { classes: '03/01/02', driver: null }],
    },
  ],
  domains: [{ domid: 1, name: 'u1', type: 'pv', driver: true }],
};

/** The model without its brands: if the model renames a field, the build breaks here. */
type Loose<T> = T extends string
  ? T extends Busid | InterfaceId | DriverName
    ? string
    : T
  : T extends object
    ? { [K in keyof T]: Loose<T[K]> }
    : T;

const INVENTORY: Loose<Inventory> = {
  format: 'pvusb-inventory-1',
  usbback: true,
  devices: [
    {
      busid: 'usb3',
      kind: 'root-hub',
      bus: 3,
      address: 1,
      vendorId: '1d6b',
      productId: '0002',
      deviceClass: '09',
      speedMbps: 480,
      interfaces: [],
    },
    {
      busid: '3-2',
      kind: 'device',
      bus: 3,
      address: 7,
      vendorId: '0627',
      productId: '0001',
      deviceClass: '00',
      speedMbps: 12,
      product: 'Keyboard',
      interfaces: [{ id: '3-2:1.0', number: 0, classes: '03/01/01', driver: 'usbback' }],
    },
    {
      busid: '3-4',
      kind: 'device',
      bus: 3,
      address: 8,
      vendorId: '1234',
      productId: '0001',
      deviceClass: '00',
      speedMbps: 12,
      interfaces: [{ id: '3-4:2.0', number: 0, classes: 'ff/00/00', driver: 'odd_driver' }],
    },
  ],
  domains: [
    { domid: 0, name: 'Domain-0', alive: true },
    { domid: 1, name: 'u1', type: 'pv', alive: true },
    { domid: 4, alive: false },
  ],
  controllers: [
    {
      domid: 1,
      devid: 0,
      type: 'pv',
      version: 2,
      portCount: 2,
      backendDomid: 0,
      backend: '/local/domain/0/backend/vusb/1/0',
      frontend: '/local/domain/1/device/vusb/0',
      backendState: 4,
      online: true,
      untrustedFrontend: { state: 4, eventChannel: 8, urbRingRef: 8, connRingRef: 9 },
      ports: [{ port: 1, busid: '3-2' }, { port: 2 }],
      strayPorts: [{ port: 9, untrustedJunk: 'x' }],
    },
    {
      domid: 4,
      devid: 0,
      type: 'pv',
      version: 2,
      portCount: 1,
      backendDomid: 0,
      backendState: 5,
      online: false,
      untrustedFrontend: { state: 4 },
      ports: [{ port: 1 }],
      strayPorts: [],
    },
  ],
  qemus: [],
  saved: [],
  savedDrivers: [{ busid: '3-2', identity: 'x', drivers: [{ interface: '3-2:1.0', driver: 'usbhid' }] }],
  orphanBackends: [{ domid: 9, devid: 0, backend: '/local/domain/0/backend/vusb/9/0' }],
};

function rejected(change: unknown, field: string): void {
  assert.throws(
    () => parseWorld(change),
    (error) => error instanceof WorldError && error.field === field && /^The world.*\.$/.test(error.message),
    field,
  );
}

describe('a world', () => {
  it('is completed from the short form', () => {
    const world = parseWorld(SHORT);
    assert.deepEqual(
      world.devices.map(({ busid, address }) => [busid, address]),
      [
        ['usb1', 1],
        ['1-1', 2],
        ['1-1.2', 3],
      ],
    );
    assert.deepEqual(world.devices[2]?.interfaces, [
      { number: 0, classes: '03/01/01' },
      { number: 1, classes: '03/01/02', driver: null },
    ]);
    assert.deepEqual(world.domains, [{ domid: 1, name: 'u1', type: 'pv', alive: true, driver: true }]);
    assert.deepEqual(parseWorldText(JSON.stringify(SHORT)), world);
  });

  it('is read from an inventory, and the host is as the inventory says', async () => {
    const host = await SimHost.create(parseWorld(INVENTORY));
    const dom0 = host.store.handle(0);
    assert.equal(host.usb.driverOf('3-2:1.0'), 'usbback');
    assert.equal(host.usb.driverOf('3-4:2.0'), 'odd_driver');
    assert.equal(host.usb.driverOf('3-0:1.0'), 'hub');
    assert.equal(host.usb.device('3-2')?.address, 7);
    await host.usb.unbind('odd_driver', '3-4:2.0');
    await host.usb.bind('odd_driver', '3-4:2.0');
    const backend = '/local/domain/0/backend/vusb/1/0';
    assert.equal(await dom0.read(`${backend}/state`), '4');
    assert.equal(await dom0.read(`${backend}/port/1`), '3-2');
    assert.equal(await dom0.read(`${backend}/port/9`), 'x');
    assert.equal(await dom0.read('/local/domain/1/device/vusb/0/conn-ring-ref'), '9');
    assert.equal(await dom0.read('/libxl/usbback/3-2/3-2@1_0/driver_path'), '/sys/bus/usb/drivers/usbhid');
    assert.equal(await dom0.read('/local/domain/4'), undefined);
    assert.equal(await dom0.read('/libxl/4/device/vusb/0/type'), 'pv');
    assert.equal(await dom0.read('/local/domain/0/backend/vusb/9/0/state'), '6');
    // The running drivers know the controller: it can be removed.
    await dom0.write(`${backend}/state`, '5');
    await dom0.write(`${backend}/online`, '0');
    await host.idle();
    assert.equal(await dom0.read(`${backend}/state`), '6');
    await host.close();
  });

  it('names the first wrong field', () => {
    rejected(null, '');
    rejected({ format: 'x' }, 'format');
    rejected({ ...SHORT, typo: 1 }, '');
    rejected({ ...SHORT, devices: [{ busid: '../..', id: '0000:0000' }] }, 'devices[0].busid');
    rejected({ ...SHORT, devices: [SHORT.devices[1]] }, 'devices[0].busid');
    rejected({ ...SHORT, devices: [SHORT.devices[0], SHORT.devices[0]] }, 'devices[1].busid');
    rejected({ ...SHORT, domains: [{ domid: 0 }] }, 'domains[0].domid');
    rejected({ ...SHORT, domains: [{ domid: 1 }, { domid: 1 }] }, 'domains[1].domid');
    rejected({ ...SHORT, controllers: [{ domid: 7, devid: 0 }] }, 'controllers[0].domid');
    rejected({ ...SHORT, usbback: false, controllers: [{ domid: 1, devid: 0 }] }, 'controllers[0].type');
    rejected(
      { ...SHORT, controllers: [{ domid: 1, devid: 0, ports: 1, devices: { '2': '1-1.2' } }] },
      'controllers[0].devices["2"]',
    );
    rejected({ ...INVENTORY, usbback: false }, 'devices[1].interfaces[0].driver');
    assert.throws(() => parseWorldText('{'), WorldError);
    assert.throws(() => parseWorldText(' '.repeat(WORLD_TEXT_MAX + 1)), WorldError);
  });

  it('of garbage is a world or a WorldError', () => {
    const tries = (value: unknown) => {
      try {
        assert.ok(parseWorld(value).devices);
      } catch (error) {
        assert.ok(error instanceof WorldError, String(error));
        assert.ok(error.message.length < 600);
      }
    };
    const paths = (value: unknown, at: string[] = []): string[][] =>
      typeof value === 'object' && value !== null
        ? [at, ...Object.entries(value).flatMap(([key, child]) => paths(child, [...at, key]))]
        : [at];
    fc.assert(fc.property(fc.anything(), tries));
    fc.assert(
      fc.property(fc.string(), (text) => {
        assert.throws(() => parseWorldText(`${text}{`), WorldError);
      }),
    );
    for (const base of [SHORT, INVENTORY]) {
      fc.assert(
        fc.property(
          fc.constantFrom(...paths(base)),
          fc.oneof(fc.anything(), fc.constant('__proto__')),
          (path, value) => {
            const copy = JSON.parse(JSON.stringify({ base })) as Record<string, unknown>;
            let at = copy;
            for (const key of ['base', ...path].slice(0, -1)) at = at[key] as Record<string, unknown>;
            at[path.at(-1) ?? 'base'] = value;
            tries(copy.base);
          },
        ),
        { numRuns: 500 },
      );
    }
  });

  it('from the recordings is complete', () => {
    const world = labWorld();
    assert.equal(world.devices.length, 15);
    assert.deepEqual(
      world.domains.map(({ name }) => name),
      ['u1', 'u2'],
    );
  });
});
