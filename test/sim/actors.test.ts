import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { labWorld, SimHost, shortWorld, type WorldController } from '../../src/sim/index.js';

const fixture = (name: string) =>
  readFileSync(new URL(`../../../test/fixtures/sim/${name}`, import.meta.url), 'utf8');

const CONTROLLER: WorldController = {
  domid: 1,
  devid: 0,
  type: 'pv',
  version: 2,
  portCount: 8,
  backendDomid: 0,
  backendState: 1,
  frontendState: 1,
  online: true,
  ports: new Map(),
};
const BACKEND = '/local/domain/0/backend/vusb/1/0';
const FRONTEND = '/local/domain/1/device/vusb/0';

async function labHost(): Promise<SimHost> {
  return SimHost.create(labWorld());
}

describe('a simulated host', () => {
  it('begins as libxl left the recorded one', async () => {
    const host = await labHost();
    await host.addController(CONTROLLER);
    await host.idle();
    const ours = new Set(host.store.dump().split('\n'));
    // Consoles do not matter for a USB host; times, grants and terminals differ each time.
    const passed =
      /console|start_time|ring-ref = "6|cmdline|kernel|ramdisk|qusb|device-model|\/2[/ ]|c884af60|image = .*r2/;
    const missing = fixture('xenstore-controller.txt')
      .split('\n')
      .filter((line) => line !== '' && !passed.test(line) && !ours.has(line));
    assert.deepEqual(missing, []);
    await host.close();
  });

  it('has the recorded devices with the recorded drivers', async () => {
    const host = await labHost();
    const ours = host.usb.devices
      .flatMap(({ interfaces }) => interfaces)
      .filter(({ id }) => !id.includes('-0:'));
    const lines = ours.map(({ id, classes, driver = '' }) => `  ${id} class=${classes} driver=${driver}`);
    const recorded = fixture('usb-base.txt').split('\n');
    assert.deepEqual(lines.sort(), recorded.filter((line) => line.startsWith('  ')).sort());
    for (const { busid, address } of host.usb.devices) {
      assert.ok(
        recorded.some((line) => line.startsWith(`${busid} `) && line.includes(` devnum=${address} `)),
        busid,
      );
    }
    await host.close();
  });

  it('shakes hands and lets go in the recorded order', async () => {
    const host = await SimHost.create(labWorld(), { usbback: 'slow' });
    const dom0 = host.store.handle(0);
    const seen: string[] = [];
    await host.addController(CONTROLLER);
    await host.idle();
    for (const path of [BACKEND, FRONTEND]) await dom0.watch(path, (changed) => seen.push(changed));
    // libxl writes a controller in one transaction, so no part of the handshake comes before its last node.
    host.usbback!.manner = 'prompt';
    await host.usbback!.proceed();
    await host.idle();
    const after = (text: string, last: string) => {
      const lines = text.trim().split('\n');
      return lines.slice(lines.lastIndexOf(last) + 1);
    };
    const recorded = after(fixture('watch-controller-added.txt'), '/libxl/1/device/vusb/0/port/8');
    assert.deepEqual(seen.slice(-recorded.length), recorded);
    assert.equal(await dom0.read(`${FRONTEND}/urb-ring-ref`), '8');
    assert.equal(await dom0.read(`${BACKEND}/state`), '4');

    seen.length = 0;
    await dom0.write(`${BACKEND}/state`, '5');
    await dom0.write(`${BACKEND}/online`, '0');
    await host.idle();
    const gone = fixture('watch-controller-removed.txt')
      .replaceAll('/vusb/1/2', '/vusb/1/0')
      .replaceAll('/vusb/2', '/vusb/0');
    assert.deepEqual(seen, gone.trim().split('\n').slice(0, 4));
    assert.equal(await dom0.read(`${FRONTEND}/state`), '6');
    assert.equal(await dom0.read(`${BACKEND}/state`), '6');
    await host.close();
  });

  it('waits for a guest without a frontend driver', async () => {
    const host = await SimHost.create(shortWorld({ domains: [{ domid: 1, driver: false }] }));
    const dom0 = host.store.handle(0);
    await host.addController(CONTROLLER);
    await host.idle();
    assert.equal(await dom0.read(`${BACKEND}/state`), '2');
    await dom0.write(`${BACKEND}/online`, '0');
    await dom0.write(`${BACKEND}/state`, '5');
    await host.idle();
    assert.equal(
      await dom0.read(`${BACKEND}/state`),
      '5',
      'until the frontend closes or the toolstack gives up',
    );
    await dom0.rm(FRONTEND);
    await host.idle();
    assert.equal(await dom0.read(`${BACKEND}/state`), '6');
    await host.close();
  });

  it('leaves nothing behind when a controller is torn out', async () => {
    const host = await labHost();
    const before = host.store.dump();
    await host.addController(CONTROLLER);
    await host.idle();
    const dom0 = host.store.handle(0);
    await Promise.all([
      dom0.write(`${BACKEND}/state`, '5'),
      dom0.rm('/local/domain/0/backend'),
      dom0.rm('/local/domain/1/device/vusb'),
      dom0.rm('/libxl/1/device/vusb'),
    ]);
    await host.idle();
    assert.equal(host.store.dump(), before);
    await host.close();
  });

  it('sees a controller that was removed and recreated at once', async () => {
    const host = await labHost();
    const dom0 = host.store.handle(0);
    for (let round = 0; round < 3; round++) {
      await host.addController(CONTROLLER);
      await host.idle();
      assert.equal(await dom0.read(`${BACKEND}/state`), '4');
      assert.equal(await dom0.read(`${FRONTEND}/state`), '4');
      await Promise.all([BACKEND, FRONTEND, '/libxl/1/device/vusb/0'].map((path) => dom0.rm(path)));
    }
    await host.close();
  });

  it('misbehaves on demand', async () => {
    const never = await SimHost.create(shortWorld({ domains: [{ domid: 1 }] }), { usbback: 'never' });
    await never.addController(CONTROLLER);
    await never.idle();
    assert.equal(await never.store.handle(0).read(`${BACKEND}/state`), '1');
    await never.close();

    const slow = await SimHost.create(shortWorld({ domains: [{ domid: 1 }] }), { usbback: 'slow' });
    await slow.addController(CONTROLLER);
    await slow.idle();
    assert.equal(await slow.store.handle(0).read(`${BACKEND}/state`), '1');
    await slow.usbback!.proceed();
    await slow.idle();
    await slow.usbback!.proceed();
    await slow.idle();
    assert.equal(await slow.store.handle(0).read(`${BACKEND}/state`), '4');
    await slow.close();
  });

  it('lets a hostile guest write its own nodes and nothing else', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const host = await SimHost.create(shortWorld({ domains: [{ domid: 1, hostile: seed }] }));
      await host.addController(CONTROLLER);
      await host.idle();
      const others = () =>
        host.store
          .dump()
          .split('\n')
          .filter((line) => !line.startsWith(FRONTEND) && !/backend\/vusb\/1\/0\/state/.test(line));
      const before = others();
      for (let deed = 0; deed < 50; deed++) await host.guests.get(1)!.mischief();
      await host.idle();
      assert.deepEqual(others(), before, `seed ${seed}`);
      await host.close();
    }
  });

  it('begins with devices already lent, and gives them back when the guest is destroyed', async () => {
    const lab = shortWorld({
      devices: [{ busid: '3-2', id: '0627:0001', interfaces: ['03/01/01'] }],
      domains: [{ domid: 1 }, { domid: 2 }],
      controllers: [{ domid: 1, devid: 0, devices: { '1': '3-2' } }],
    });
    const host = await SimHost.create(lab);
    const dom0 = host.store.handle(0);
    assert.equal(host.usb.driverOf('3-2:1.0'), 'usbback');
    assert.equal(await dom0.read(`${BACKEND}/port/1`), '3-2');
    assert.equal(await dom0.read(`${BACKEND}/state`), '4');
    assert.equal(await dom0.read('/libxl/usbback/3-2/3-2@1_0/driver_path'), '/sys/bus/usb/drivers/usbhid');
    await host.killDomain(1);
    await host.idle();
    assert.equal(host.usb.driverOf('3-2:1.0'), 'usbhid');
    assert.equal(await dom0.read('/libxl/usbback/3-2'), undefined);
    assert.equal(await dom0.read('/libxl/1'), undefined);

    await host.addDomain({ domid: 5, name: 'late' });
    await host.addController({ ...CONTROLLER, domid: 5 });
    await host.idle();
    assert.equal(await dom0.read('/local/domain/0/backend/vusb/5/0/state'), '4');
    await host.killDomain(5, { leaveRecords: true });
    await host.idle();
    assert.equal(await dom0.read('/libxl/5/type'), 'pv');
    assert.equal(await dom0.read('/local/domain/5'), undefined);
    assert.equal(await dom0.read('/local/domain/0/backend/vusb/5/0/state'), '6');
    await host.close();
    assert.equal(host.store.watchCount, 0);
  });
});
