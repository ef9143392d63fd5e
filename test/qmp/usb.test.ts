import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  addController,
  addHostDevice,
  controllerDriver,
  controllerId,
  describeHostDevice,
  hostDeviceId,
  listPeripherals,
  parseControllerId,
  parseHostDeviceId,
  removeDevice,
} from '../../src/qmp/index.js';
import { type FakeQemu, fails, fakeClient, ManualClock, settled } from './support.js';

/** What `qom-list` returns when there are only these. */
const listOf = (...ids: string[]) => [
  { name: 'type', type: 'string' },
  ...ids.map((name) => ({ name, type: 'child<nec-usb-xhci>' })),
];

/** Answers the next command, which is this one. */
async function answerNext(qemu: FakeQemu, command: string, value: Parameters<FakeQemu['answer']>[1] = {}) {
  const next = await qemu.takeOne();
  assert.equal(next.execute, command);
  qemu.answer(next, value);
}

describe('ids of devices in QEMU', () => {
  it('are those of libxl, and are read back only in its form', () => {
    assert.equal(controllerId(12), 'xenusb-12');
    assert.equal(hostDeviceId(3, 17), 'xenusb-3-17');
    assert.equal(parseControllerId('xenusb-0'), 0);
    assert.equal(parseControllerId('xenusb-12'), 12);
    assert.deepEqual(parseHostDeviceId('xenusb-3-17'), { hostbus: 3, hostaddr: 17 });
    for (const id of [
      'xenusb-01',
      'xenusb--1',
      'xenusb-',
      'xenusb-1.0',
      ' xenusb-1',
      'xenusb-1\n',
      'xenusb-3-17',
    ]) {
      assert.equal(parseControllerId(id), undefined, id);
    }
    for (const id of ['xenusb-3', 'xenusb-0-1', 'xenusb-1-0', 'xenusb-3-017', 'xenusb-3-1-2', 'usb-3-1']) {
      assert.equal(parseHostDeviceId(id), undefined, id);
    }
  });
});

describe('adding to QEMU', () => {
  it('sends what libxl sends, with numbers as numbers', async () => {
    const { client, qemu } = await fakeClient();
    const added = Promise.all([
      addController(client, { id: 'xenusb-0', version: 1, ports: 2 }),
      addController(client, { id: 'xenusb-1', version: 2, ports: 6 }),
      addController(client, { id: 'xenusb-2', version: 3, ports: 4 }),
      addHostDevice(client, { id: 'xenusb-3-2', bus: 'xenusb-2.0', port: '4', hostbus: 3, hostaddr: 2 }),
    ]);
    const commands = await qemu.take();
    assert.deepEqual(
      commands.map((command) => command.arguments),
      [
        { driver: 'piix3-usb-uhci', id: 'xenusb-0' },
        { driver: 'usb-ehci', id: 'xenusb-1' },
        { driver: 'nec-usb-xhci', id: 'xenusb-2', p2: 4, p3: 4 },
        { driver: 'usb-host', id: 'xenusb-3-2', bus: 'xenusb-2.0', port: '4', hostbus: 3, hostaddr: 2 },
      ],
    );
    for (const command of commands) qemu.answer(command);
    await added;
  });

  it('refuses what QEMU would accept and turn into something else, without asking it', async () => {
    const { client, qemu } = await fakeClient();
    for (const [version, ports] of [
      [0, 2],
      [4, 8],
      [1, 4],
      [2, 2],
      [3, 0],
      [3, 16],
      [3, 1.5],
      [Number.NaN, 2],
    ] as const) {
      await assert.rejects(addController(client, { id: 'x', version, ports }), RangeError);
    }
    assert.throws(() => controllerDriver(4), RangeError);
    for (const id of ['', 'a/b', 'not an id', '1a']) {
      await assert.rejects(addController(client, { id, version: 2, ports: 6 }), RangeError);
    }
    for (const [hostbus, hostaddr] of [
      [0, 1],
      [1, 0],
      [1, -1],
      [1.5, 1],
    ] as const) {
      const device = { id: 'x', bus: 'b.0', port: '1', hostbus, hostaddr };
      await assert.rejects(addHostDevice(client, device), RangeError);
    }
    assert.deepEqual(await qemu.take(), []);
  });
});

describe('removing from QEMU', () => {
  it('is done when the event comes, even if it comes before the answer', async () => {
    const { client, qemu } = await fakeClient({ clock: new ManualClock() });
    const removal = removeDevice(client, 'd');
    qemu.event('DEVICE_DELETED', { path: '/machine/unattached/d' });
    qemu.event('DEVICE_DELETED', { device: 'd' });
    await answerNext(qemu, 'device_del');
    assert.equal(await removal, 'removed');
    assert.equal(client.pendingCount, 0);
  });

  it('is done when QEMU no longer has it, even if it never says so', async () => {
    const clock = new ManualClock();
    const { client, qemu } = await fakeClient({ clock });
    const removal = removeDevice(client, 'xhci');
    await answerNext(qemu, 'device_del');
    await clock.advance(100);
    await answerNext(qemu, 'qom-list', listOf('xhci'));
    assert.deepEqual(await qemu.take(), []);
    await clock.advance(200);
    await answerNext(qemu, 'qom-list', listOf('other'));
    assert.equal(await removal, 'removed');
    assert.equal(client.pendingCount, 0);
    assert.equal(clock.sleepers, 0);
  });

  it('asks QEMU what is true when the answer does not come', async () => {
    for (const [left, outcome] of [
      [listOf(), 'removed'],
      [listOf('d'), 'timeout'],
    ] as const) {
      const clock = new ManualClock();
      const { client, qemu } = await fakeClient({ clock });
      const removal = removeDevice(client, 'd', { withinMs: 500 }).catch((error: unknown) => error);
      await qemu.takeOne();
      await clock.advance(500);
      await answerNext(qemu, 'qom-list', left);
      const result = await removal;
      assert.ok(result === outcome || fails(outcome, 'device_del d')(result), String(result));
      assert.equal(client.pendingCount, 0);
      assert.equal(clock.sleepers, 0);
    }
  });

  it('keeps asking a QEMU that is silent for a while, and gives up in time if it stays so', async () => {
    const clock = new ManualClock();
    const { client, qemu } = await fakeClient({ clock });
    const removal = removeDevice(client, 'd', { withinMs: 5000 });
    await answerNext(qemu, 'device_del');
    await clock.advance(100);
    await qemu.takeOne();
    await clock.advance(2000);
    await clock.advance(200);
    await answerNext(qemu, 'qom-list', listOf());
    assert.equal(await removal, 'removed');

    const fromMs = clock.nowMs();
    const silent = assert.rejects(
      removeDevice(client, 'd', { withinMs: 5000 }),
      fails('timeout', 'device_del d'),
    );
    await answerNext(qemu, 'device_del');
    while (client.pendingCount > 0 && clock.nowMs() - fromMs < 10_000) await clock.advance(100);
    await silent;
    assert.ok(clock.nowMs() - fromMs < 8000);
    assert.equal(client.pendingCount, 0);
    assert.equal(clock.sleepers, 0);
  });

  it('gives up within its time when the guest does not let go', async () => {
    const clock = new ManualClock();
    const { client, qemu } = await fakeClient({ clock });
    const removal = assert.rejects(
      removeDevice(client, 'd', { withinMs: 3000 }),
      fails('timeout', 'device_del d'),
    );
    await answerNext(qemu, 'device_del');
    for (let looks = 0; clock.nowMs() < 3000; ) {
      await clock.advance(100);
      for (const look of await qemu.take()) {
        assert.ok(++looks < 10);
        qemu.answer(look, listOf('d'));
      }
      await settled();
    }
    await removal;
    assert.equal(client.pendingCount, 0);
    assert.equal(clock.sleepers, 0);
  });

  it('waits for what was requested before, and reports a real refusal', async () => {
    const { client, qemu } = await fakeClient();
    const again = removeDevice(client, 'd');
    qemu.refuse(await qemu.takeOne(), 'GenericError', 'Device d is already in the process of unplug');
    qemu.event('DEVICE_DELETED', { device: 'd' });
    assert.equal(await again, 'removed');
    const absent = removeDevice(client, 'd');
    qemu.refuse(await qemu.takeOne(), 'DeviceNotFound', "Device 'd' not found");
    assert.equal(await absent, 'absent');
    const refused = assert.rejects(removeDevice(client, 'd'), fails('refused', 'device_del'));
    qemu.refuse(await qemu.takeOne(), 'GenericError', "Bus 'pci.0' does not support hotplugging");
    await refused;
    assert.equal(client.pendingCount, 0);
  });
});

describe('what QEMU says about its devices', () => {
  it('is refused when it does not have the known form', async () => {
    const { client, qemu } = await fakeClient();
    for (const nonsense of [{}, 'x', [1], [{ name: 'x' }], [{ name: 1, type: 'child<x>' }]]) {
      const refused = assert.rejects(listPeripherals(client), fails('protocol'));
      await answerNext(qemu, 'qom-list', nonsense);
      await refused;
    }
    const refused = assert.rejects(describeHostDevice(client, 'd'), fails('protocol'));
    for (let i = 0; i < 6; i++) await answerNext(qemu, 'qom-get', null);
    await refused;
  });
});
