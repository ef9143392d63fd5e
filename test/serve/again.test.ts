/** What goes wrong beside the usual course of a backend: controllers that are made anew, reports that fail. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { plainMemory } from '../../src/backend/blocks.js';
import { JOURNAL_BYTES } from '../../src/backend/journal.js';
import { VirtualDevice } from '../../src/backend/virtual/device.js';
import { Keyboard } from '../../src/backend/virtual/keyboard.js';
import { BackendServer, type Machine } from '../../src/serve/index.js';
import { PortServer } from '../../src/serve/port-server.js';
import { labWorld, SimHost } from '../../src/sim/index.js';
import { type Binding, parseDriverName, parseInterfaceId } from '../../src/sysfs/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';
import { failure } from '../core/support/test-host.js';

const BINDING: Binding = { interface: parseInterfaceId('3-2:1.0')!, driver: parseDriverName('usbhid')! };

const ROOT = '/local/domain/0/backend/vusb';
const BACKEND = `${ROOT}/1/0`;

const nothing = (): never => {
  throw new Error('not here');
};

/** A machine with nothing in it. */
const MACHINE: Machine = {
  memory: plainMemory,
  openGuest: nothing,
  openDevice: nothing,
  giveBack: nothing,
  close: () => undefined,
  journal: () => new Uint8Array(JOURNAL_BYTES),
  forget: () => undefined,
};

describe('a backend', () => {
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
      { announcement: '1 2', isAlive: async () => false, log: () => undefined },
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
    const port = new PortServer({
      number: 3,
      open: () => assert.fail('opened'),
      recorded: () => assert.fail('read'),
      giveBack: () => assert.fail('given back'),
      controller: () => undefined,
      show: async () => {
        throw new Error('xenstored refuses');
      },
      log: (message) => told.push(message),
    });
    port.progressed('configured');
    await setImmediate();
    assert.deepEqual(told, ['port 3: xenstored refuses']);
  });

  it('empties a port whose device no driver takes back, so that the same device can come again', async () => {
    const shown: string[] = [];
    const told: string[] = [];
    const opened: string[] = [];
    const given: (readonly Binding[])[] = [];
    let recorded = async (): Promise<readonly Binding[]> => [BINDING];
    const port = new PortServer({
      number: 1,
      async open(name) {
        opened.push(name);
        return new VirtualDevice(new Keyboard());
      },
      recorded: () => recorded(),
      async giveBack(bindings) {
        given.push(bindings);
        throw new Error('no such device');
      },
      controller: () => undefined,
      show: async (state) => void shown.push(String(state)),
      log: (message) => told.push(message),
    });
    await port.follow('3-2', false);
    await port.follow('', false);
    assert.deepEqual(shown, ['2', '']);
    assert.ok(told.includes('port 1: no such device'));
    // What cannot be read is not what the device before had.
    recorded = async () => {
      throw new Error('xenstored refuses');
    };
    await port.follow('3-2', false);
    assert.deepEqual(opened, ['3-2', '3-2']);
    await port.follow('', false);
    assert.deepEqual(given, [[BINDING], []]);
  });

  it('touches nothing where it could not be told from other processes', async () => {
    const sim = await SimHost.create({ ...labWorld(), usbback: false });
    const client = new XenstoreClient(sim.store.connect(0));
    const options = { announcement: undefined, isAlive: async () => false, log: () => undefined };
    const refused = await failure(() => BackendServer.start(client, MACHINE, options));
    assert.equal(refused.code, 'backend-impossible');
    assert.equal(await client.read('/libxl/pvusb/backend'), undefined);
    client.close();
    await sim.close();
  });
});
