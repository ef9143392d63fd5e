import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { qemuWorld, SimHost, type SimQemu, shortWorld, type WorldController } from '../../src/sim/index.js';

const fixture = (name: string) =>
  readFileSync(new URL(`../../../test/fixtures/sim/${name}`, import.meta.url), 'utf8')
    .trim()
    .split('\n');

const SECOND: WorldController = {
  domid: 2,
  devid: 1,
  type: 'qusb',
  version: 2,
  portCount: 4,
  backendDomid: 0,
  backendState: 1,
  frontendState: 1,
  online: true,
  ports: new Map(),
};
const BACKEND = '/local/domain/0/backend/qusb/2';

async function qemuHost() {
  const host = await SimHost.create(qemuWorld({ usbback: false }));
  const dom0 = host.store.handle(0);
  const write = async (key: string, value: string) => {
    await dom0.write(`${BACKEND}/${key}`, value);
    await host.idle();
  };
  const driversOf = (busid: string) => host.usb.device(busid)?.interfaces.map(({ driver }) => driver);
  return { host, dom0, write, driversOf, qemu: host.qemus.get(2) as SimQemu };
}

/** Changes as a client sees them, from now on. */
async function watched(host: SimHost, paths: readonly string[]): Promise<string[]> {
  const seen: string[] = [];
  const dom0 = host.store.handle(0);
  for (const path of paths) await dom0.watch(path, (changed) => seen.push(changed));
  await host.idle();
  seen.length = 0;
  return seen;
}

describe('a QEMU of a simulated host', () => {
  it('begins with its qusb controller like the recorded ones', async () => {
    const { host } = await qemuHost();
    const ours = new Set(host.store.dump().split('\n'));
    // Consoles do not matter for a USB host; process ids, times, grants and boot messages differ each time.
    const passed =
      /console|start_time|ring-ref = "6|cmdline|kernel|ramdisk|device-model-pid|9dbc833a|urb-ring|conn-ring/;
    assert.deepEqual(
      fixture('xenstore-qusb.txt').filter((line) => !passed.test(line) && !ours.has(line)),
      [],
    );
    await host.close();
  });

  it('is announced in the recorded order', async () => {
    const host = await SimHost.create(shortWorld({}));
    const seen = await watched(host, ['/local/domain/0/device-model', '/local/domain/9/image']);
    await host.addDomain({ domid: 9, deviceModel: true });
    await host.idle();
    const only = (lines: readonly string[]) =>
      lines.filter((line) => /device-model\/9\/(backends\/(?!console)|state)/.test(line));
    assert.deepEqual(only(seen), only(fixture('watch-qemu-started.txt')));
    assert.equal(host.qemus.get(9)?.alive, true);
    await host.close();
  });

  it('connects a new controller in the recorded order', async () => {
    const { host } = await qemuHost();
    await host.addController({ ...SECOND, devid: 3, frontendState: 1 });
    const seen = await watched(host, [BACKEND, '/local/domain/2/device/vusb']);
    await host.addController(SECOND);
    await host.idle();
    const recorded = fixture('watch-qusb-added.txt')
      .slice(-8)
      .map((line) => line.replaceAll('/9/', '/2/'));
    assert.deepEqual(seen.slice(-8), recorded);
    await host.close();
  });

  it('lets go of a controller in the recorded order, and gives its devices back', async () => {
    const { host, dom0, write, driversOf } = await qemuHost();
    const lent = ['4-1', '1-1', '3-2', '3-6'];
    for (const [index, busid] of lent.entries()) await write(`0/port/${index + 1}`, busid);
    assert.deepEqual(lent.map(driversOf), [['usbfs'], ['usbfs'], ['usbfs'], ['usbfs', 'usbfs']]);
    const seen = await watched(host, [BACKEND, '/local/domain/2/device/vusb']);
    for (const port of [1, 2, 3, 4]) await dom0.write(`${BACKEND}/0/port/${port}`, '');
    await dom0.write(`${BACKEND}/0/state`, '5');
    await dom0.write(`${BACKEND}/0/online`, '0');
    await host.idle();
    assert.deepEqual(
      seen,
      fixture('watch-qusb-removed.txt')
        .slice(0, 8)
        .map((line) => line.replaceAll('/9/', '/2/')),
    );
    assert.equal(await dom0.read(`${BACKEND}/0/state`), '6');
    assert.deepEqual(lent.map(driversOf), [
      ['usb-storage'],
      ['usb-storage'],
      ['usbhid'],
      ['snd-usb-audio', 'snd-usb-audio'],
    ]);
    await host.close();
  });

  it('closes what is in the ports of a controller that is torn out', async () => {
    const { host, dom0, write, driversOf } = await qemuHost();
    await write('0/port/1', '4-1');
    await dom0.rm(`${BACKEND}/0`);
    await dom0.rm('/local/domain/2/device/vusb/0');
    await host.idle();
    assert.deepEqual(driversOf('4-1'), ['usb-storage']);
    assert.equal(await dom0.directory(`${BACKEND}/0`), undefined);
    await host.close();
  });

  it('leaves hubs, ports beyond the last and nonsense alone', async () => {
    const { host, write, driversOf, qemu } = await qemuHost();
    await write('0/port/1', '3-5');
    await write('0/port/2', 'nonsense');
    await write('0/port/5', '4-1');
    assert.deepEqual(driversOf('3-5'), ['hub']);
    assert.deepEqual(driversOf('4-1'), ['usb-storage']);
    assert.ok(qemu.log.includes('xen be: qusb-0: device nonsense illegal specification'));
    await host.close();
  });

  it('gives back only what it took: an interface without a driver stays without one', async () => {
    const { host, write, driversOf } = await qemuHost();
    await write('0/port/1', '3-8');
    assert.deepEqual(driversOf('3-8'), ['usbfs']);
    await host.usb.addDriver({ name: 'late', match: ['0b'] });
    await write('0/port/1', '');
    assert.deepEqual(driversOf('3-8'), [undefined]);
    await host.close();
  });

  it('leaves a device unclaimed until the guest configures it', async () => {
    const host = await SimHost.create(
      shortWorld({
        devices: [{ busid: '3-2', id: '0627:0001', interfaces: ['03/01/01'] }],
        domains: [{ domid: 2, driver: false, deviceModel: true }],
        controllers: [{ domid: 2, devid: 0, type: 'qusb', devices: { '1': '3-2' } }],
      }),
    );
    assert.equal(host.usb.driverOf('3-2:1.0'), undefined);
    assert.deepEqual(host.qemus.get(2)?.held, ['3-2']);
    assert.equal(await host.store.handle(0).read(`${BACKEND}/0/state`), '2');
    await host.close();
  });

  it('loses a device that is pulled out, and takes the next one in that socket', async () => {
    const { host, write, driversOf, qemu } = await qemuHost();
    const stick = host.usb.device('4-1')!.spec;
    await write('0/port/1', '4-1');
    await host.unplug('4-1');
    await host.idle();
    assert.deepEqual(qemu.held, []);
    const { address: _old, ...again } = stick;
    await host.plug(again);
    await host.idle();
    assert.equal(host.usb.device('4-1')?.address, 3);
    assert.deepEqual(qemu.held, ['4-1']);
    assert.deepEqual(driversOf('4-1'), [undefined], 'the guest is not told, so nobody claims it');
    await write('0/port/1', '');
    assert.deepEqual(driversOf('4-1'), ['usb-storage']);
    await write('0/port/1', '3-9');
    assert.deepEqual(qemu.held, []);
    await host.plug({ ...again, busid: '3-9' });
    await host.idle();
    assert.deepEqual(qemu.held, ['3-9'], 'what did not exist when it was named is taken too');
    await host.close();
  });

  it('dies of two devices on the same port number, as recorded', async () => {
    const { host, dom0, write, driversOf, qemu } = await qemuHost();
    await host.addController(SECOND);
    await host.idle();
    await write('0/port/1', '1-1');
    await write('1/port/2', '3-2');
    assert.equal(qemu.alive, true);
    await write('1/port/1', '3-4');
    assert.equal(qemu.alive, false);
    assert.match(qemu.log.at(-1)!, /vmstate_register_with_alias_id: Assertion/);
    assert.deepEqual(['1-1', '3-2', '3-4'].map(driversOf), [[undefined], [undefined], [undefined]]);
    assert.equal(await dom0.read('/local/domain/0/device-model/2/state'), 'running');
    await host.addController({ ...SECOND, devid: 2 });
    await write('0/port/1', '');
    await dom0.write(`${BACKEND}/1/state`, '5');
    await host.idle();
    assert.deepEqual(await Promise.all([0, 1, 2].map((devid) => dom0.read(`${BACKEND}/${devid}/state`))), [
      '4',
      '5',
      '1',
    ]);
    assert.equal(await dom0.read('/local/domain/2/device/vusb/1/state'), '6', 'the guest still closes');
    await host.killDomain(2);
    assert.deepEqual(driversOf('1-1'), [undefined], 'nobody gives them back');
    assert.equal(await dom0.read('/local/domain/0/device-model/2'), undefined);
    await host.close();
  });

  it('dies before it has set up the controller that libxl makes with its first device', async () => {
    const { host, dom0, write, qemu } = await qemuHost();
    await write('0/port/1', '1-1');
    const seen = await watched(host, [BACKEND]);
    await host.addController({ ...SECOND, portCount: 8, ports: new Map([[1, '3-2']]) });
    await host.idle();
    assert.equal(qemu.alive, false);
    assert.deepEqual(
      seen.slice(-1),
      fixture('watch-qusb-died.txt').slice(-1),
      'it had written its first state and nothing else',
    );
    assert.equal(await dom0.read(`${BACKEND}/1/state`), '1');
    assert.equal(await dom0.read(`${BACKEND}/1/hotplug-status`), undefined);
    await host.close();
  });

  it('gives devices back when libxl ends it, and not when it is killed', async () => {
    for (const how of ['destroyed', 'left', 'killed'] as const) {
      const { host, dom0, write, driversOf, qemu } = await qemuHost();
      await write('0/port/1', '3-6');
      if (how === 'killed') await qemu.kill();
      await host.killDomain(2, { leaveRecords: how === 'left' });
      await host.idle();
      const bound = how === 'destroyed' ? 'snd-usb-audio' : undefined;
      assert.deepEqual(driversOf('3-6'), [bound, bound], how);
      assert.equal(host.qemus.has(2), false);
      const record = await dom0.read('/libxl/2/device/vusb/0/type');
      assert.equal(record, how === 'left' ? 'qusb' : undefined);
      await host.close();
    }
  });

  it('can be told not to open a device', async () => {
    const { host, write, driversOf, qemu } = await qemuHost();
    qemu.refuseOpen('4-1');
    await write('0/port/1', '4-1');
    assert.deepEqual(driversOf('4-1'), ['usb-storage']);
    assert.match(qemu.log.at(-1)!, /couldn't open USB device \/dev\/bus\/usb\/004\/002/);
    qemu.refuseOpen('4-1', false);
    await host.idle();
    assert.deepEqual(qemu.held, ['4-1']);
    await host.close();
  });

  it('does not put a fast device behind USB 1.1', async () => {
    const { host, write, driversOf, qemu } = await qemuHost();
    await host.addController({ ...SECOND, version: 1, portCount: 2 });
    await write('1/port/1', '1-1');
    assert.deepEqual(driversOf('1-1'), ['usb-storage']);
    assert.ok(qemu.log.includes('xen be: qusb-1: device 1-1 wrong speed'));
    await write('1/port/2', '3-5.1');
    assert.deepEqual(driversOf('3-5.1'), ['usbfs']);
    await host.close();
  });
});
