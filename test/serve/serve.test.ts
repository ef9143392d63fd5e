import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { GuestStorage } from '../../src/sim/frontend/index.js';
import { controllerOf, failure } from '../core/support/test-host.js';
import { ManualClock } from '../qmp/support.js';
import { ServedHost } from './stage.js';

const BACKEND = '/local/domain/0/backend/vusb/1/0';

async function connected(): Promise<ServedHost> {
  const host = await ServedHost.create();
  await host.serve();
  await host.sim.addController(controllerOf({ domid: 1, devid: 0 }));
  await host.settle();
  assert.equal(await host.states(1), '4 4', host.messages.join('\n'));
  return host;
}

describe('the backend, seen from xenstore', () => {
  it('serves a controller that appears, and a device from its port to the guest and back', async () => {
    await using host = await connected();
    await host.setPort(1, 0, 2, '4-1');
    assert.equal(await host.portState(1, 0, 2), '2');
    const guest = await host.guest(1);
    await guest.waitFor(2, true);
    const storage = new GuestStorage(guest, await guest.enumerate(2));
    await host.settle();
    assert.equal(await host.portState(1, 0, 2), '4');
    assert.equal(Buffer.compare(await storage.read(0, 8192), host.image.subarray(0, 8192)), 0);
    await host.setPort(1, 0, 2, '');
    assert.equal(await host.portState(1, 0, 2), undefined);
    assert.equal(guest.plugged.size, 0);
    assert.deepEqual([...host.open.keys()], []);
    assert.equal(guest.hcd.dead, undefined);
  });

  it('serves what was there before it, several guests at once', async () => {
    await using host = await ServedHost.create();
    for (const domid of [1, 2]) {
      await host.sim.addController(
        controllerOf({ domid, devid: 0, ports: new Map([[1, domid === 1 ? '4-1' : '3-2']]) }),
      );
    }
    await host.settle();
    assert.equal(await host.states(1), '1 1');
    await host.serve();
    for (const domid of [1, 2]) {
      assert.equal(await host.states(domid), '4 4');
      const guest = await host.guest(domid);
      await guest.waitFor(1, true);
      await guest.enumerate(1);
    }
    assert.deepEqual([...host.open.keys()].sort(), ['3-2', '4-1']);
  });

  it('says why a device cannot be opened, and opens it when it is plugged in', async () => {
    await using host = await ServedHost.create();
    const server = await host.serve();
    await host.sim.addController(controllerOf({ domid: 1, devid: 0 }));
    await host.setPort(1, 0, 1, '1-7');
    assert.equal(await host.portState(1, 0, 1), '6');
    assert.match((await host.client.read(`${BACKEND}/port-reason/1`)) ?? '', /1-7 is not there/);
    host.devices.set('1-7', host.devices.get('3-2')!);
    await server.plugged();
    await host.settle();
    assert.equal(await host.portState(1, 0, 1), '2');
    assert.ok((await host.guest(1)).plugged.has(1));
  });

  it('shows a device that was pulled out, and takes it back only if it is the same', async () => {
    await using host = await ServedHost.create();
    const server = await host.serve();
    await host.sim.addController(controllerOf({ domid: 1, devid: 0, ports: new Map([[1, '4-1']]) }));
    await host.settle();
    const guest = await host.guest(1);
    await guest.waitFor(1, true);
    const stick = host.devices.get('4-1')!;
    host.open.get('4-1')!.pullOut();
    await host.settle();
    assert.equal(await host.portState(1, 0, 1), '6');
    assert.equal(guest.plugged.size, 0);
    host.devices.set('4-1', host.devices.get('3-2')!);
    await server.plugged();
    await host.settle();
    assert.match((await host.client.read(`${BACKEND}/port-reason/1`)) ?? '', /not the device that was lent/);
    assert.deepEqual([...host.open.keys()], []);
    host.devices.set('4-1', stick);
    await server.plugged();
    await host.settle();
    await guest.waitFor(1, true);
    assert.equal(await host.portState(1, 0, 1), '2');
  });

  it('opens a device in its next port once it has let go of it in the one before', async () => {
    for (const [[domid, port], [otherDomid, otherPort]] of [
      [
        [1, 1],
        [1, 2],
      ],
      [
        [1, 2],
        [1, 1],
      ],
      [
        [1, 1],
        [2, 1],
      ],
    ] as const) {
      await using host = await connected();
      await host.sim.addController(controllerOf({ domid: 2, devid: 0 }));
      await host.setPort(domid, 0, port, '4-1');
      const device = host.open.get('4-1')!;
      const close = device.close;
      let goOn = (): void => undefined;
      device.close = async () => {
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
        await close();
      };
      await host.setPort(domid, 0, port, '');
      await host.setPort(otherDomid, 0, otherPort, '4-1');
      goOn();
      await host.settle();
      assert.equal(await host.portState(domid, 0, port), undefined);
      assert.equal(await host.portState(otherDomid, 0, otherPort), '2', host.messages.join('\n'));
      assert.ok((await host.guest(otherDomid)).plugged.has(otherPort));
    }
  });

  it('opens a device again that was replugged before its guest has connected', async () => {
    await using host = await ServedHost.create();
    const server = await host.serve();
    const [back, front] = [`${BACKEND.slice(0, -1)}5`, '/local/domain/1/device/vusb/5'];
    const write = async (path: string, nodes: Readonly<Record<string, string>>): Promise<void> => {
      for (const [key, value] of Object.entries(nodes)) await host.client.write(`${path}/${key}`, value);
    };
    await write(front, { state: '1' });
    await write(back, {
      online: '1',
      type: 'pv',
      'num-ports': '2',
      'usb-ver': '2',
      'port/1': '4-1',
      state: '1',
    });
    await host.settle();
    assert.equal(await host.portState(1, 5, 1), '2');
    // Nothing is heard of a device that no guest uses.
    host.open.get('4-1')!.pullOut();
    host.open.delete('4-1');
    await server.plugged();
    await write(front, { 'urb-ring-ref': '8', 'conn-ring-ref': '9', 'event-channel': '3', state: '3' });
    await host.settle();
    assert.equal(await host.states(1, 5), '4 3');
    assert.equal(await host.portState(1, 5, 1), '2');
    await (await host.guest(1, 5)).waitFor(1, true);
  });

  it('is taken over after kill -9: the guest notices nothing', async () => {
    await using host = await connected();
    await host.setPort(1, 0, 1, '4-1');
    const guest = await host.guest(1);
    await guest.waitFor(1, true);
    const storage = new GuestStorage(guest, await guest.enumerate(1));
    await host.kill();
    const reading = storage.read(4096, 16_384);
    await host.serve();
    assert.equal(Buffer.compare(await reading, host.image.subarray(4096, 20_480)), 0);
    assert.equal(await host.states(1), '4 4');
    assert.deepEqual(guest.plugs, [{ port: 1, speed: 3 }]);
    await host.settle();
    assert.equal(await host.portState(1, 0, 1), '4');
    assert.equal(guest.hcd.dead, undefined);
  });

  it('is not taken over while it lives', async () => {
    await using host = await ServedHost.create();
    await host.client.write('/libxl/pvusb/backend', '12 34');
    host.otherBackend = '12 34';
    const refused = await failure(() => host.serve());
    assert.equal(refused.code, 'backend-impossible');
    assert.match(refused.message, /^Process 12 serves /);
    host.otherBackend = undefined;
    await host.serve();
    assert.equal(await host.client.read('/libxl/pvusb/backend'), '4711 100');
  });

  it('tells the guest what was pulled out of a port while it was dead', async () => {
    await using host = await connected();
    await host.setPort(1, 0, 1, '4-1');
    const guest = await host.guest(1);
    await guest.waitFor(1, true);
    await host.kill();
    await host.client.write(`${BACKEND}/port/1`, '');
    await host.serve();
    await guest.waitFor(1, false);
  });

  it('lets go of a controller that is removed, and of a guest that dies', async () => {
    await using host = await connected();
    await host.setPort(1, 0, 1, '4-1');
    await host.client.write(`${BACKEND}/online`, '0');
    await host.client.write(`${BACKEND}/state`, '5');
    await host.settle();
    assert.equal(await host.states(1), '6 6');
    assert.equal(host.mapped.size, 0);
    await host.client.rm(BACKEND);
    await host.settle();
    assert.deepEqual([...host.open.keys()], []);
    assert.equal(host.journals.size, 0);
    await host.sim.addController(controllerOf({ domid: 2, devid: 0, ports: new Map([[1, '4-1']]) }));
    await host.settle();
    assert.equal(host.mapped.size, 1);
    await host.sim.killDomain(2, { leaveRecords: true });
    await host.settle();
    assert.equal(host.mapped.size, 0);
  });

  it('makes a guest that connects again and again wait, and then connects it', async () => {
    await using host = await ServedHost.create();
    const clock = new ManualClock();
    await host.serve(clock);
    const [back, front] = [`${BACKEND.slice(0, -1)}5`, '/local/domain/1/device/vusb/5'];
    const rings = { 'urb-ring-ref': '8', 'conn-ring-ref': '9', 'event-channel': '3' };
    const controller = { online: '1', type: 'pv', 'num-ports': '2', 'usb-ver': '2', state: '1' };
    for (const [path, nodes] of [
      [front, { ...rings, state: '1' }],
      [back, controller],
    ] as const)
      for (const [key, value] of Object.entries(nodes)) await host.client.write(`${path}/${key}`, value);
    for (let round = 0; round < 20; round++) {
      for (const state of ['3', '6', '1']) {
        await host.client.write(`${front}/state`, state);
        await host.settle();
      }
    }
    await host.client.write(`${front}/state`, '3');
    await host.settle();
    assert.equal(await host.states(1, 5), '2 3');
    assert.deepEqual(host.messages, [
      'controller 5 of domain 1: the guest reconnects too often: it has to wait',
    ]);
    await clock.advance(5_000);
    await host.settle();
    assert.equal(await host.states(1, 5), '4 3');
    assert.equal(clock.sleepers, 0);
  });

  it('lets no guest fill the log', async () => {
    await using host = await ServedHost.create();
    const clock = new ManualClock();
    await host.serve(clock);
    await host.sim.addController(controllerOf({ domid: 1, devid: 0 }));
    await host.settle();
    const { hcd } = await host.guest(1);
    const refused = new Uint32Array(37);
    const flood = async (): Promise<number> => {
      const before = host.messages.length;
      for (let round = 0; round < 100; round++) {
        hcd.sendRaw(refused);
        for (let turn = 0; turn < 4; turn++) await setImmediate();
      }
      return host.messages.length - before;
    };
    assert.equal(await flood(), 50);
    assert.equal(await flood(), 0);
    await clock.advance(20_000);
    assert.equal(await flood(), 2);
    assert.match(host.messages.at(-1)!, /request 0 is refused: port 0 does not exist/);
  });

  it('leaves alone a guest that breaks the protocol, and one that speaks another', async () => {
    await using host = await connected();
    const guest = await host.guest(1);
    const ring = new Int32Array(guest.hcd.rings.buffer);
    ring[0] = 100;
    guest.hcd.events.notifyBackend();
    await host.settle();
    assert.equal(await host.states(1), '6 6', 'closed by both');
    assert.ok(host.messages.some((message) => /impossible index/.test(message)));
    await host.sim.addController(controllerOf({ domid: 2, devid: 0, frontendState: 4 }));
    await host.client.rm('/local/domain/2/device/vusb/0/conn-ring-ref');
    await host.settle();
    assert.equal(await host.client.read('/libxl/pvusb/backend'), '4711 100');
  });
});
