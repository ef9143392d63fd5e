import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseWorld, qemuWorld, SimHost, shortWorld } from '../../src/sim/index.js';

const fixture = (name: string) =>
  readFileSync(new URL(`../../../test/fixtures/sim/${name}`, import.meta.url), 'utf8')
    .trim()
    .split('\n');

const BACKEND = '/local/domain/0/backend/qusb/2';

describe('a world with QEMUs', () => {
  it('begins with devices lent through each type', async () => {
    const host = await SimHost.create(
      shortWorld({
        devices: [
          { busid: '3-2', id: '0627:0001', interfaces: ['03/01/01'] },
          { busid: '3-3', id: '0627:0001', interfaces: ['03/01/02'] },
        ],
        domains: [
          { domid: 2, deviceModel: true },
          { domid: 4, type: 'hvm' },
        ],
        controllers: [
          { domid: 2, devid: 0, type: 'qusb', devices: { '3': '3-2' } },
          { domid: 4, devid: 0, type: 'devicemodel', version: 2, devices: { '1': '3-3' } },
        ],
      }),
    );
    assert.equal(host.usb.driverOf('3-2:1.0'), 'usbfs');
    assert.equal(host.usb.driverOf('3-3:1.0'), 'usbfs');
    assert.equal(await host.store.handle(0).read('/libxl/4/device/vusb/0/num-ports'), '6');
    const listed = (await host.qemus.get(4)!.execute('qom-list', { path: '/machine/peripheral' })) as {
      name: string;
    }[];
    assert.deepEqual(
      listed.map(({ name }) => name),
      ['type', 'xenusb-0', 'xenusb-3-3'],
    );
    await host.killDomain(4);
    assert.equal(host.usb.driverOf('3-3:1.0'), 'usbhid');
    await host.close();
  });

  it('has a QEMU for each domain with qusb controllers, unless it says that there is none', async () => {
    for (const without of [false, true]) {
      const host = await SimHost.create(
        shortWorld({
          domains: [{ domid: 2, ...(without ? { deviceModel: false } : {}) }],
          controllers: [{ domid: 2, devid: 0, type: 'qusb' }],
        }),
      );
      assert.equal(await host.store.handle(0).read(`${BACKEND}/0/state`), without ? '1' : '4');
      assert.equal(host.qemus.has(2), !without);
      await host.close();
    }
  });

  it('begins with emulated controllers like the recorded one', async () => {
    const world = qemuWorld();
    const h1 = world.domains.find(({ name }) => name === 'h1')!;
    const emulated = (devid: number, version: number, portCount: number, ports: [number, string][]) => ({
      domid: 1,
      devid,
      type: 'devicemodel',
      version,
      portCount,
      backendDomid: 0,
      online: true,
      ports: new Map(ports),
    });
    const host = await SimHost.create({
      ...world,
      domains: [{ ...h1, domid: 1 }],
      controllers: [
        emulated(0, 2, 6, [
          [1, '1-1'],
          [2, '3-2'],
        ]),
        emulated(1, 3, 4, [[2, '4-1']]),
      ],
    });
    const ours = new Set(host.store.dump().split('\n'));
    const passed =
      /console|vkbd|start_time|ring-ref|device-model-pid|serial|platform\/|platform =|hvmloader|rtc|feature-s[34]|memory|domain\/0\/backend/;
    assert.deepEqual(
      fixture('xenstore-devicemodel.txt').filter((line) => !passed.test(line) && !ours.has(line)),
      [],
    );
    assert.deepEqual(host.qemus.get(1)?.held, ['1-1', '3-2', '4-1']);
    await host.close();
  });

  it('is read from an inventory: QEMU holds what it held, and leaves what it did not take', async () => {
    const port = (number: number, busid?: string) => ({ port: number, ...(busid ? { busid } : {}) });
    const device = (busid: string, address: number, driver?: string) => ({
      busid,
      kind: 'device',
      bus: 3,
      address,
      vendorId: '0627',
      productId: '0001',
      deviceClass: '00',
      speedMbps: 480,
      interfaces: [{ id: `${busid}:1.0`, number: 0, classes: '03/01/01', ...(driver ? { driver } : {}) }],
    });
    const host = await SimHost.create(
      parseWorld({
        format: 'pvusb-inventory-1',
        usbback: false,
        devices: [device('3-2', 2, 'usbfs'), device('3-3', 3), device('3-4', 4, 'usbfs')],
        domains: [
          { domid: 2, type: 'pv', alive: true },
          { domid: 4, type: 'hvm', alive: true },
        ],
        controllers: [
          {
            domid: 2,
            devid: 0,
            type: 'qusb',
            version: 2,
            portCount: 2,
            backendDomid: 0,
            backend: `${BACKEND}/0`,
            backendState: 4,
            online: true,
            untrustedFrontend: { state: 4, eventChannel: 8, urbRingRef: 8, connRingRef: 9 },
            ports: [port(1, '3-2'), port(2, '3-3')],
            strayPorts: [],
          },
          {
            domid: 4,
            devid: 0,
            type: 'devicemodel',
            version: 3,
            portCount: 4,
            backendDomid: 0,
            online: true,
            untrustedFrontend: {},
            ports: [port(1), port(2, '3-4')],
            strayPorts: [],
          },
        ],
        savedDrivers: [],
        orphanBackends: [],
      }),
    );
    const dom0 = host.store.handle(0);
    const drivers = () => ['3-2', '3-3', '3-4'].map((busid) => host.usb.driverOf(`${busid}:1.0`));
    assert.deepEqual(drivers(), ['usbfs', undefined, 'usbfs']);
    assert.deepEqual(host.qemus.get(2)?.held, ['3-2']);
    assert.equal(await dom0.read(`${BACKEND}/0/state`), '4');
    await dom0.write(`${BACKEND}/0/port/1`, '');
    await dom0.write(`${BACKEND}/0/state`, '5');
    await host.idle();
    assert.equal(await dom0.read(`${BACKEND}/0/state`), '6');
    await host.killDomain(4);
    assert.deepEqual(drivers(), ['usbhid', undefined, 'usbhid']);
    await host.close();
  });
});
