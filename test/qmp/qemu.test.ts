import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/async/index.js';
import {
  addController,
  addHostDevice,
  connectSocket,
  describeHostDevice,
  isQmpError,
  listPeripherals,
  QmpClient,
  type QmpCommands,
  removeDevice,
} from '../../src/qmp/index.js';
import { qemuOrSkip } from './fetch.js';
import { type RunningQemu, startQemu } from './qemu.js';
import { fails } from './support.js';

const { kit, skip } = await qemuOrSkip();

// The test runner does not count a skipped group; it does count a skipped test.
if (skip !== false) test('a real QEMU', { skip });

/** Runs `body` on a QEMU of its own, and makes sure that nothing is left pending. */
async function withQemu(body: (client: QmpClient, qemu: RunningQemu) => Promise<void>): Promise<void> {
  await using qemu = await startQemu(kit!);
  await using client = await QmpClient.open(qemu.socket);
  await body(client, qemu);
  assert.equal(client.pendingCount, 0);
}

const ids = async (qmp: QmpCommands): Promise<string[]> =>
  (await listPeripherals(qmp)).map(({ id, type }) => `${id} ${type}`).sort();

/** For `assert.rejects`: QEMU said no in these words. */
function says(words: RegExp, errorClass = 'GenericError'): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isQmpError(error, 'refused'), String(error));
    assert.equal(error.class, errorClass);
    assert.match(error.desc ?? '', words);
    return true;
  };
}

const CONTROLLERS = [
  { id: 'xenusb-0', version: 1, ports: 2 },
  { id: 'xenusb-1', version: 2, ports: 6 },
  { id: 'xenusb-2', version: 3, ports: 15 },
  { id: 'xenusb-3', version: 3, ports: 4 },
];

describe('USB in a real QEMU', { skip }, () => {
  it('has controllers of all three versions, with as many ports as asked for', async () => {
    await withQemu(async (client) => {
      assert.equal(client.version.major >= 7, true);
      assert.deepEqual(await ids(client), []);
      for (const controller of CONTROLLERS) await addController(client, controller);
      assert.deepEqual(await ids(client), [
        'xenusb-0 piix3-usb-uhci',
        'xenusb-1 usb-ehci',
        'xenusb-2 nec-usb-xhci',
        'xenusb-3 nec-usb-xhci',
      ]);
      for (const { id, ports } of CONTROLLERS) {
        const plug = (port: number): Promise<unknown> =>
          client.execute('device_add', {
            driver: 'usb-mouse',
            id: `m${id}`,
            bus: `${id}.0`,
            port: String(port),
          });
        await assert.rejects(plug(ports === 4 ? 9 : ports + 1), says(/^usb port \d+ .* not found/));
        await plug(ports);
      }
    });
  });

  it('lets go of a controller as soon as its guest does, and of what is plugged into it', async () => {
    await withQemu(async (client) => {
      for (const controller of CONTROLLERS) await addController(client, controller);
      await client.execute('device_add', {
        driver: 'usb-kbd',
        id: 'xenusb-7-7',
        bus: 'xenusb-2.0',
        port: '1',
      });
      await client.execute('cont');
      for (const { id } of CONTROLLERS) assert.equal(await removeDevice(client, id), 'removed');
      assert.deepEqual(await ids(client), []);
      assert.equal(await removeDevice(client, 'xenusb-0'), 'absent');
      await addController(client, CONTROLLERS[0]!);
    });
  });

  it('keeps a controller whose guest does not let go, until it does', async () => {
    await withQemu(async (client) => {
      await addController(client, CONTROLLERS[1]!);
      const asked = removeDevice(client, 'xenusb-1', { withinMs: 200 });
      await assert.rejects(asked, (error) => {
        return fails('timeout', 'device_del xenusb-1')(error) && /has not released/.test(String(error));
      });
      assert.deepEqual(await ids(client), ['xenusb-1 usb-ehci']);
      await assert.rejects(
        client.execute('device_del', { id: 'xenusb-1' }),
        says(/in the process of unplug/),
      );
      const again = removeDevice(client, 'xenusb-1');
      await client.execute('cont');
      assert.equal(await again, 'removed');
    });
  });

  it('lets go of USB devices at once, even while the guest is stopped', async () => {
    await withQemu(async (client) => {
      await addController(client, CONTROLLERS[2]!);
      for (let round = 0; round < 8; round++) {
        await client.execute('device_add', { driver: 'usb-tablet', id: 't', bus: 'xenusb-2.0', port: '3' });
        assert.equal(await removeDevice(client, 't'), 'removed');
        assert.equal(await removeDevice(client, 't'), 'absent');
      }
    });
  });

  it('refuses a device that the host does not have, and keeps nothing', async () => {
    await withQemu(async (client) => {
      await addController(client, CONTROLLERS[2]!);
      const device = { id: 'xenusb-99-99', bus: 'xenusb-2.0', port: '1', hostbus: 99, hostaddr: 99 };
      await assert.rejects(addHostDevice(client, device), says(/^failed to find host usb device 99:99$/));
      assert.deepEqual(await ids(client), ['xenusb-2 nec-usb-xhci']);
      await assert.rejects(describeHostDevice(client, device.id), says(/not found/, 'DeviceNotFound'));
    });
  });

  it('would take any device for address 0, so that is never asked', async () => {
    await withQemu(async (client) => {
      await addController(client, CONTROLLERS[2]!);
      const any = { id: 'any', bus: 'xenusb-2.0', port: '1', hostbus: 99, hostaddr: 0 };
      await assert.rejects(addHostDevice(client, any), RangeError);
      await client.execute('device_add', { driver: 'usb-host', ...any });
      assert.deepEqual(await ids(client), ['any usb-host', 'xenusb-2 nec-usb-xhci']);
    });
  });

  it('describes a device that waits for something to be plugged in', async () => {
    await withQemu(async (client) => {
      await addController(client, CONTROLLERS[2]!);
      const place = { bus: 'xenusb-2.0', port: '2', hostbus: 99, hostport: '1.2' };
      await client.execute('device_add', { driver: 'usb-host', id: 'waiting', ...place });
      assert.deepEqual(await describeHostDevice(client, 'waiting'), {
        id: 'waiting',
        controller: 'xenusb-2',
        port: '2',
        hostbus: 99,
        hostaddr: undefined,
        hostport: '1.2',
        attached: false,
      });
      await assert.rejects(describeHostDevice(client, 'xenusb-2'), says(/Property .* not found/));
      assert.equal(await removeDevice(client, 'waiting'), 'removed');
    });
  });

  it('says what is wrong with a request', async () => {
    await withQemu(async (client) => {
      await addController(client, CONTROLLERS[0]!);
      await assert.rejects(addController(client, CONTROLLERS[0]!), says(/^Duplicate device ID 'xenusb-0'$/));
      const device = { id: 'd', bus: 'xenusb-0.0', port: '1', hostbus: 1, hostaddr: 1 };
      const wrong: [Partial<typeof device>, RegExp][] = [
        [{ bus: 'xenusb-8.0' }, /^Bus 'xenusb-8.0' not found$/],
        [{ port: '3' }, /^usb port 3 .* not found \(in use\?\)$/],
        [{ hostaddr: 999_999 }, /out of range/],
      ];
      for (const [part, words] of wrong) {
        await assert.rejects(addHostDevice(client, { ...device, ...part }), says(words));
      }
      await client.execute('device_add', { driver: 'usb-kbd', id: 'k', bus: 'xenusb-0.0', port: '1' });
      await assert.rejects(addHostDevice(client, device), says(/in use/));
      await assert.rejects(
        client.execute('device_add', { driver: 'nope' }),
        says(/not a valid device model/),
      );
      await assert.rejects(client.execute('nope'), says(/has not been found/, 'CommandNotFound'));
      assert.deepEqual(await ids(client), ['k usb-kbd', 'xenusb-0 piix3-usb-uhci']);
    });
  });
});

describe('the monitor of a real QEMU', { skip }, () => {
  it('serves one client at a time: the next waits for its turn', async () => {
    await withQemu(async (client, qemu) => {
      let served = false;
      const second = QmpClient.open(qemu.socket).then((opened) => {
        served = true;
        return opened;
      });
      await sleep(100);
      assert.deepEqual(await ids(client), []);
      assert.ok(!served);
      client.close();
      await using next = await second;
      assert.deepEqual(await ids(next), []);
    });
  });

  it('is busy when its turn does not come, also when the kernel accepts no more', async () => {
    await withQemu(async (client, qemu) => {
      const open = () => QmpClient.open(qemu.socket, { withinMs: 150 });
      const waiting = Array.from({ length: 5 }, () => assert.rejects(open(), fails('busy', 'connect')));
      await assert.rejects(
        (async () => {
          for (let i = 0; i < 5; i++) await connectSocket(qemu.socket);
        })(),
        fails('busy'),
      );
      await Promise.all(waiting);
      assert.deepEqual(await ids(client), []);
    });
  });

  it('serves many clients in turn, none of which gets what is another’s', async () => {
    await using qemu = await startQemu(kit!);
    const one = async (at: number): Promise<void> => {
      await using client = await QmpClient.open(qemu.socket);
      await addController(client, { id: `xenusb-${at}`, version: 3, ports: 1 });
      // Left without waiting for their answers.
      for (let i = 0; i < 4; i++) client.execute('query-pci').catch(() => undefined);
      await client.execute('qom-list', { path: '/machine' });
    };
    await Promise.all(Array.from({ length: 12 }, (_, at) => one(at)));
    await using client = await QmpClient.open(qemu.socket);
    assert.equal((await ids(client)).length, 12);
  });

  it('is lost when QEMU is killed in the middle of commands, and nothing stays pending', async () => {
    await using qemu = await startQemu(kit!);
    await using client = await QmpClient.open(qemu.socket);
    qemu.process.kill('SIGSTOP');
    const calls = Array.from({ length: 12 }, () => client.execute('query-pci'));
    const removal = removeDevice(client, 'x');
    const lost = [...calls, removal].map((call) => assert.rejects(call, fails('connection-lost')));
    await sleep(20);
    // 12, the removal, and usually the event that it waits for.
    assert.ok(client.pendingCount >= 13);
    await qemu.kill('SIGKILL');
    await Promise.all(lost);
    assert.equal(client.pendingCount, 0);
    assert.ok(client.closed);
    await assert.rejects(QmpClient.open(qemu.socket), fails('unreachable'));
  });

  it('is busy while QEMU is stopped before it greets, and times out after', async () => {
    await using qemu = await startQemu(kit!);
    const client = await QmpClient.open(qemu.socket);
    qemu.process.kill('SIGSTOP');
    const startMs = systemClock.nowMs();
    await assert.rejects(client.execute('query-status', {}, { withinMs: 100 }), fails('timeout'));
    await assert.rejects(removeDevice(client, 'x', { withinMs: 100 }), fails('timeout'));
    client.close();
    await assert.rejects(QmpClient.open(qemu.socket, { withinMs: 100 }), fails('busy'));
    assert.ok(systemClock.nowMs() - startMs < 4000);
    qemu.process.kill('SIGCONT');
    await using next = await QmpClient.open(qemu.socket);
    assert.deepEqual(await ids(next), []);
  });
});
