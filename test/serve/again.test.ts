/** What goes wrong beside the usual course of a backend: controllers that are made anew, reports that fail. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { plainMemory } from '../../src/backend/blocks.js';
import { JOURNAL_BYTES } from '../../src/backend/journal.js';
import { VirtualDevice } from '../../src/backend/virtual/device.js';
import { Keyboard } from '../../src/backend/virtual/keyboard.js';
import { PortState, savedInterfacePath } from '../../src/pvusb/model/layout.js';
import { BackendServer, type Machine } from '../../src/serve/index.js';
import { PortServer } from '../../src/serve/port-server.js';
import { labWorld, SimHost } from '../../src/sim/index.js';
import { parseBusid, parseInterfaceId } from '../../src/sysfs/index.js';
import { hostOf } from '../../src/testing/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';
import { controllerOf, failure } from '../core/support/test-host.js';
import { ManualClock } from '../qmp/support.js';
import { ServedHost } from './stage.js';

const ROOT = '/local/domain/0/backend/vusb';
const BACKEND = `${ROOT}/1/0`;

const nothing = (): never => {
  throw new Error('not here');
};

/** What ports are to hold. */
const KEYBOARD = { name: '3-2', open: async () => new VirtualDevice(new Keyboard()) };
const EMPTY = { name: '', open: nothing };

/** A machine with nothing in it. */
const MACHINE: Machine = {
  memory: plainMemory,
  openGuest: nothing,
  openDevice: nothing,
  openVirtual: nothing,
  close: () => undefined,
  journal: () => new Uint8Array(JOURNAL_BYTES),
  forget: () => undefined,
};

describe('a backend', () => {
  it('serves other guests while it waits for the device of one', async () => {
    await using host = await ServedHost.create();
    await host.serve();
    for (const domid of [1, 2]) await host.sim.addController(controllerOf({ domid, devid: 0 }));
    await host.settle();
    await host.setPort(1, 0, 1, '3-2');
    const guest = await host.guest(1);
    await guest.waitFor(1, true);
    const { address } = await guest.enumerate(1);
    let end: (errno: number) => void = () => undefined;
    host.open.get('3-2')!.reset = () =>
      new Promise((resolve) => {
        end = resolve;
      });
    assert.ok(address > 0);
    void guest.tryControl({ port: 1, address: 0 }, [0x80, 6, 0x100, 0], 18);
    await host.settle();
    await host.client.rm(BACKEND);
    await host.setPort(2, 0, 1, '4-1');
    assert.equal(await host.portState(2, 0, 1), '2');
    assert.ok(host.open.has('3-2'), 'it is still being reset');
    end(0);
    await host.settle();
    assert.deepEqual([...host.open.keys()], ['4-1']);
  });

  it('serves a controller that is made anew before it has heard that the first one is gone', async () => {
    const sim = await SimHost.create({ ...labWorld(), usbback: false });
    const toolstack = new XenstoreClient(sim.store.connect(0));
    const client = new XenstoreClient(sim.store.connect(0));
    let gate = Promise.resolve();
    const ended: string[] = [];
    // What it hears about the directories of controllers comes late.
    const late = new Proxy(client, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (name !== 'watch') return typeof value === 'function' ? value.bind(target) : value;
        return async (path: string) => {
          const watch = await target.watch(path);
          if (path !== ROOT) return watch;
          return {
            close: () => watch.close(),
            async *[Symbol.asyncIterator]() {
              for (;;) {
                await gate;
                const { done, value: paths } = await watch.next();
                if (done) return;
                yield paths;
              }
            },
          };
        };
      },
    });
    const server = await BackendServer.start(
      late,
      { ...MACHINE, forget: (domid, devid) => void ended.push(`${domid}/${devid}`) },
      { announcement: '1 2', isAlive: async () => false, sysfs: hostOf(sim).sysfs, log: () => undefined },
    );
    const make = async (): Promise<void> => {
      await toolstack.write('/local/domain/1/device/vusb/0/state', '1');
      for (const [key, value] of [
        ['online', '1'],
        ['type', 'pv'],
        ['num-ports', '2'],
        ['usb-ver', '2'],
        ['state', '1'],
      ] as const)
        await toolstack.write(`${BACKEND}/${key}`, value);
    };
    const until = async (holds: () => boolean | Promise<boolean>, what: string): Promise<void> => {
      for (let left = 500; left > 0; left--) {
        if (await holds()) return;
        await setImmediate();
      }
      assert.fail(what);
    };
    const isServed = async () => (await toolstack.read(`${BACKEND}/state`)) === '2';
    await make();
    await until(isServed, 'the first one is served');
    let open: () => void = () => undefined;
    // One answer is waited for already: it hears of this.
    gate = new Promise((resolve) => {
      open = resolve;
    });
    await toolstack.write(`${BACKEND}/hotplug-status`, 'connected');
    await until(async () => (await toolstack.read('/local')) !== undefined, 'heard');
    for (let left = 20; left > 0; left--) await setImmediate();
    await toolstack.rm(BACKEND);
    await toolstack.write('/local/domain/1/device/vusb/0/state', '6');
    await until(() => ended.length > 0, 'the first one has ended');
    await make();
    open();
    await until(isServed, 'the second one is served');
    await server.close();
    for (const one of [client, toolstack]) one.close();
    await sim.close();
  });

  it('lives on when what a guest has come to cannot be shown', async () => {
    const told: string[] = [];
    const sim = await SimHost.create(labWorld());
    const port = new PortServer({
      number: 3,
      home: hostOf(sim),
      clock: new ManualClock(),
      controller: () => undefined,
      show: async (state) => {
        if (state === PortState.configured) throw new Error('xenstored refuses');
      },
      released: () => undefined,
      log: (message) => told.push(message),
    });
    await port.follow(KEYBOARD, false);
    port.progressed('configured');
    await port.connected();
    assert.deepEqual(told, ['port 3: 3-2 is open', 'port 3: xenstored refuses']);
    await sim.close();
  });

  it('shows what a guest does with its device, but not as often as the guest likes', async () => {
    const shown: string[] = [];
    const sim = await SimHost.create(labWorld());
    const clock = new ManualClock();
    const port = new PortServer({
      number: 3,
      home: hostOf(sim),
      clock,
      controller: () => undefined,
      show: async (state) => void shown.push(String(state)),
      released: () => undefined,
      log: () => undefined,
    });
    await port.follow(KEYBOARD, false);
    for (let round = 0; round < 100; round++) {
      for (const progress of ['opened', 'configured'] as const) port.progressed(progress);
      await port.connected();
    }
    assert.deepEqual(shown, ['2', '4']);
    port.progressed('opened');
    await clock.advance(1_000);
    await port.connected();
    assert.deepEqual(shown, ['2', '4', '2']);
    port.progressed('configured');
    await port.follow(EMPTY, false);
    await clock.advance(1_000);
    await port.connected();
    assert.deepEqual(shown, ['2', '4', '2', ''], 'not of a device that is not there any more');
    await clock.advance(1_000);
    assert.equal(clock.sleepers, 0);
    await sim.close();
  });

  it('empties a port whose device no driver takes back, so that the same device can come again', async () => {
    const shown: string[] = [];
    const told: string[] = [];
    const sim = await SimHost.create({ ...labWorld(), usbback: false });
    const host = hostOf(sim);
    const record = savedInterfacePath(parseBusid('3-2')!, parseInterfaceId('3-2:1.0')!);
    await host.xenstore.write(`${record}/driver`, '/sys/bus/usb/drivers/usbhid');
    await sim.usb.unbind('usbhid', '3-2:1.0');
    sim.usb.failBind('usbhid', 'EIO');
    const port = new PortServer({
      number: 1,
      home: host,
      clock: new ManualClock(),
      controller: () => undefined,
      show: async (state) => void shown.push(String(state)),
      released: () => undefined,
      log: (message) => told.push(message),
    });
    await port.follow(KEYBOARD, false);
    await port.follow(EMPTY, false);
    assert.deepEqual(shown, ['2', '']);
    const refusal = 'port 1: 3-2:1.0 has no driver now: usbhid did not take it back (EIO).';
    assert.deepEqual(told, ['port 1: 3-2 is open', refusal]);
    // What cannot be read is not what the device before had.
    host.xenstore.close();
    await port.follow(KEYBOARD, false);
    await port.follow(EMPTY, false);
    assert.equal(shown.at(-1), '');
    assert.equal(told.filter((message) => message === refusal).length, 1);
    await sim.close();
  });

  it('touches nothing where it could not be told from other processes', async () => {
    const sim = await SimHost.create({ ...labWorld(), usbback: false });
    const client = new XenstoreClient(sim.store.connect(0));
    const options = {
      announcement: undefined,
      isAlive: async () => false,
      sysfs: hostOf(sim).sysfs,
      log: () => undefined,
    };
    const refused = await failure(() => BackendServer.start(client, MACHINE, options));
    assert.equal(refused.code, 'backend-impossible');
    assert.equal(await client.read('/libxl/pvusb/backend'), undefined);
    client.close();
    await sim.close();
  });
});
