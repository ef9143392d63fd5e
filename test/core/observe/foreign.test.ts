/** Controllers that others serve, nodes that others write, and devices that are not as they were. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatUsbList } from '../../../src/cli/xl/list.js';
import { addController, detachDevice, doctor, listInventory } from '../../../src/pvusb/index.js';
import type { World } from '../../../src/sim/index.js';
import { compareWorlds } from '../support/invariants.js';
import { controllerOf, labWith, openSimulated } from '../support/test-host.js';

const BACKEND = '/local/domain/0/backend/vusb/1/0';

/** The recorded host, where domain 1 is an HVM guest whose emulated controller has the keyboard in port 2. */
function emulatedWorld(): World {
  const ports = new Map([[2, '3-2']]);
  const world = labWith(
    controllerOf({ domid: 1, devid: 0, type: 'devicemodel', portCount: 6, ports }),
    controllerOf({ domid: 2, devid: 0 }),
  );
  const domains = world.domains.map((domain) =>
    domain.domid === 1 ? { ...domain, type: 'hvm' as const } : domain,
  );
  return { ...world, domains };
}

/** Controller 0 of domain 1 is served by domain 2, which has one served by domain 0. */
function drivenWorld(): World {
  return labWith(controllerOf({ domid: 1, devid: 0, backendDomid: 2 }), controllerOf({ domid: 2, devid: 0 }));
}

const simpleWorld = () => labWith(controllerOf({ domid: 1, devid: 0 }));

/** What the doctor finds at this moment. */
describe('other kinds of controllers', () => {
  test('a device in an emulated controller is listed there', async () => {
    await using lab = await openSimulated({ world: emulatedWorld() });
    assert.equal(await lab.read('/libxl/1/device/vusb/0/port/2'), '3-2');
    const inventory = await listInventory(lab.host, { domain: 1 });
    const [controller] = inventory.controllers;
    assert.equal(controller?.type, 'devicemodel');
    assert.equal(controller.online, true, 'it is not being removed');
    assert.deepEqual(
      controller.ports.map(({ port, busid }) => `${port} ${busid ?? ''}`),
      ['1 ', '2 3-2', '3 ', '4 ', '5 ', '6 '],
    );
    const [, , ...lines] = formatUsbList(inventory).trimEnd().split('\n');
    assert.equal(lines.length, 6);
    assert.deepEqual(
      lines.map((line) => line.slice(0, 9)),
      [1, 2, 3, 4, 5, 6].map((port) => `  Port ${port}:`),
    );
    assert.equal(lines[1], '  Port 2: Bus 003 Device 002');
  });

  test("a driver domain's ports name devices of its own", async () => {
    await using lab = await openSimulated({ world: drivenWorld() });
    const foreign = '/local/domain/2/backend/vusb/1/0/port';
    assert.equal(await lab.attach(2, '3-7'), '2/0/1');
    await lab.write(`${foreign}/1`, '3-7');
    await lab.write(`${foreign}/2`, '4-1');
    assert.deepEqual(await lab.found(), []);
    assert.equal(await lab.attach(2, '4-1'), '2/0/2');
    await lab.refuses(
      [1, 2].map((port) => ({
        code: 'unsupported-backend',
        says: [],
        act: () => detachDevice(lab.host, { domain: 1, devid: 0, port }),
      })),
    );
    const { result } = await detachDevice(lab.host, { device: '3-7' });
    assert.equal(result.domid, 2);
    assert.equal(await lab.read(`${foreign}/1`), '3-7');
    assert.equal(await lab.read('/local/domain/0/backend/vusb/2/0/port/1'), '');
    assert.deepEqual(await lab.found(), []);
    // The invariants are of a host without driver domains.
    for (const port of [1, 2]) await lab.write(`${foreign}/${port}`, '');
    await lab.assertSound();
  });
});

describe('a host without usbback', () => {
  test('controllers that it served are one finding, and stay', async () => {
    const served = { backendState: 4, frontendState: 4 };
    const world = labWith(
      controllerOf({ domid: 1, devid: 0, ...served, ports: new Map([[1, '4-1']]) }),
      controllerOf({ domid: 2, devid: 0, ...served }),
    );
    await using lab = await openSimulated({ world: { ...world, usbback: false } });
    const before = await lab.snapshot();
    const { findings, remaining, failures } = await doctor(lab.host, { fix: true, settleMs: 0 });
    assert.deepEqual(findings, [{ finding: 'no-usbback', count: 2 }]);
    assert.deepEqual(remaining, findings);
    assert.deepEqual(failures, []);
    assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
  });

  test('a controller that was never served is removed', async () => {
    const world = labWith(
      controllerOf({ domid: 1, devid: 0, backendState: 4, frontendState: 4 }),
      controllerOf({ domid: 2, devid: 0 }),
    );
    await using lab = await openSimulated({ world: { ...world, usbback: false } });
    const { findings, remaining } = await doctor(lab.host, { fix: true, settleMs: 0 });
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      ['no-usbback', 'unserved-controller'],
    );
    assert.deepEqual(remaining, [{ finding: 'no-usbback', count: 1 }]);
    assert.equal(await lab.read('/libxl/2/device/vusb/0'), undefined);
    assert.equal(await lab.read(`${BACKEND}/state`), '4');
  });
});

describe('what others have written', () => {
  test('port -1 counts as a port, and is freed', async () => {
    await using lab = await openSimulated({ world: simpleWorld() });
    const before = await lab.snapshot();
    await lab.write(`${BACKEND}/port/-1`, '4-1');
    await lab.refuses([
      { code: 'already-attached', says: ['port -1 of controller 0'], act: () => lab.attach(2, '4-1') },
    ]);
    const { findings, remaining } = await doctor(lab.host, { fix: true, settleMs: 0 });
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      ['bad-port'],
    );
    assert.deepEqual(remaining, []);
    assert.equal(await lab.read(`${BACKEND}/port/-1`), '');
    await lab.rm(`${BACKEND}/port/-1`);
    assert.deepEqual(compareWorlds(before, await lab.snapshot()), []);
  });

  test('a new controller does not get the number of a backend without a record', async () => {
    await using lab = await openSimulated();
    assert.equal(await lab.add(1), 0);
    await lab.rm('/libxl/1/device/vusb/0');
    assert.deepEqual(await lab.found(), ['orphan-backend']);
    assert.equal(await lab.attach(1, '3-7'), '1/1/1');
    assert.equal((await addController(lab.host, { domain: 1 })).result.devid, 2);
    assert.deepEqual(await lab.found(), ['orphan-backend']);
  });
});

describe('devices that are not as they were', () => {
  test('one that is on usbback but in no port is not attached', async () => {
    await using lab = await openSimulated({ world: simpleWorld() });
    await lab.attach(1, '3-7');
    await lab.write(`${BACKEND}/port/1`, '');
    await lab.refuses([{ code: 'half-attached', says: ['3-7'], act: () => lab.attach(1, '3-7') }]);
    assert.deepEqual(lab.driversAt('3-7'), ['usbback', 'usbback']);
  });

  test('an interface that a program holds is lent and given back without a record', async () => {
    await using lab = await openSimulated({ world: simpleWorld() });
    await lab.sim.usb.claim('3-8:1.0');
    await lab.attach(1, '3-8');
    assert.equal(lab.driver('3-8:1.0'), 'usbback');
    assert.doesNotMatch(await lab.dump(), /3-8@1_0/);
    await detachDevice(lab.host, { device: '3-8' });
    assert.equal(lab.driver('3-8:1.0'), undefined);
    assert.deepEqual(await lab.found(), []);
    await lab.assertSound();
  });

  test('one that changed its configuration goes to the drivers that the kernel finds', async () => {
    await using lab = await openSimulated({ world: simpleWorld() });
    const natural = lab.driversAt('3-7');
    await lab.attach(1, '3-7');
    assert.equal(
      await lab.read('/libxl/usbback/3-7/3-7@1_0/driver_path'),
      `/sys/bus/usb/drivers/${natural[0]}`,
    );
    const { spec } = lab.sim.usb.device('3-7')!;
    const interfaces = spec.interfaces.map((intf) => ({ ...intf, driver: 'usbback' }));
    await lab.sim.unplug('3-7');
    await lab.sim.plug({ ...spec, configuration: 2, interfaces });
    assert.equal(lab.driver('3-7:2.0'), 'usbback');
    await detachDevice(lab.host, { device: '3-7' });
    assert.deepEqual(lab.driversAt('3-7'), natural);
    assert.equal(await lab.read(`${BACKEND}/port/1`), '');
    assert.equal(await lab.read('/libxl/usbback/3-7'), undefined);
    assert.deepEqual(await lab.found(), []);
  });
});
