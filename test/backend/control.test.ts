/** What a guest asks of a device, and what becomes of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LentDevice } from '../../src/backend/boundary.js';
import { describe as describeDevice } from '../../src/backend/virtual/describe.js';
import { VirtualDevice } from '../../src/backend/virtual/device.js';
import type { VirtualFunction } from '../../src/backend/virtual/function.js';
import { Keyboard } from '../../src/backend/virtual/keyboard.js';
import { SourceSink } from '../../src/backend/virtual/source-sink.js';
import type { GuestDevice } from '../../src/sim/frontend/index.js';
import { noise, Stage } from './stage.js';

/** Records what reaches a device. */
function watched(inside: VirtualFunction): { device: LentDevice; calls: string[] } {
  const calls: string[] = [];
  const device = new VirtualDevice(inside);
  const record =
    <A extends unknown[], R>(name: string, call: (...args: A) => R) =>
    (...args: A): R => {
      calls.push([name, ...args].join(' '));
      return call(...args);
    };
  return {
    calls,
    device: {
      speed: device.speed,
      untrustedDescriptors: device.untrustedDescriptors,
      untrustedBos: undefined,
      configuration: device.configuration,
      start: (listener) => device.start(listener),
      submit: (transfer) => {
        if (transfer.type === 2) {
          calls.push(
            Buffer.from(transfer.block.bytes.subarray(transfer.start - 8, transfer.start)).toString('hex'),
          );
        }
        return device.submit(transfer);
      },
      cancel: (transfer) => device.cancel(transfer),
      reap: () => device.reap(),
      setConfiguration: record('configuration', (value: number) => device.setConfiguration(value)),
      setInterface: record('interface', (one: number, setting: number) => device.setInterface(one, setting)),
      clearHalt: record('clear halt', (endpoint: number) => device.clearHalt(endpoint)),
      reset: record('reset', () => device.reset()),
      close: () => device.close(),
    },
  };
}

async function plugged(
  inside: VirtualFunction,
): Promise<{ stage: Stage; device: GuestDevice; calls: string[]; status: StatusOf }> {
  const stage = new Stage();
  const { device: lent, calls } = watched(inside);
  stage.plug(1, lent);
  await stage.guest.waitFor(1, true);
  const device = await stage.guest.enumerate(1);
  const status: StatusOf = async (setup, data) => (await stage.guest.tryControl(device, setup, data)).status;
  return { stage, device, calls, status };
}

type StatusOf = (
  setup: readonly [number, number, number, number],
  data?: Uint8Array | number,
) => Promise<number>;

/** A DFU device, and an interface of its own kind. */
const DFU: VirtualFunction = {
  speed: 'full',
  strings: [],
  descriptors: describeDevice({
    vendor: 1,
    product: 2,
    version: 0,
    stringCount: 0,
    configuration: 1,
    settings: [{ interface: 0, class: 0xfe, subClass: 1, protocol: 1, endpoints: [] }],
  }),
  start: () => undefined,
  control: () => Uint8Array.of(1, 2, 3),
  send: () => undefined,
  receive: () => undefined,
  reset: () => undefined,
};

describe('control requests', () => {
  it('that a host controller answers never reach the device', async () => {
    const { calls, status, stage, device } = await plugged(new SourceSink());
    assert.deepEqual(calls, [], 'not even while it is enumerated');
    assert.equal(await status([0, 9, 3, 0]), 0);
    assert.equal(await status([0x80, 8, 0, 0], 1), 0);
    assert.deepEqual([...(await stage.guest.control(device, [0x81, 10, 0, 0], 1))], [0]);
    assert.deepEqual(calls, []);
  });

  it('that have calls of their own at the host are made by these', async () => {
    const { calls, status } = await plugged(new SourceSink());
    assert.equal(await status([1, 11, 1, 0]), 0);
    assert.equal(await status([2, 1, 0, 0x81]), 0);
    assert.equal(await status([0, 9, 3, 0]), 0);
    assert.deepEqual(calls, ['interface 0 1', 'clear halt 129', 'configuration 3']);
    calls.length = 0;
    for (const wrong of [
      [1, 11, 2, 0],
      [1, 11, 0, 5],
      [2, 1, 0, 0x83],
      [0, 9, 2, 0],
    ] as const) {
      assert.equal(await status(wrong), -32, wrong.join(' '));
    }
    assert.deepEqual(calls, []);
  });

  it('in flight together end in the order in which they were sent, whoever answers them', async () => {
    const { stage, device } = await plugged(DFU);
    const requests = [
      [0xc0, 5, 77, 0],
      [0x80, 6, 0x100, 0],
      [0xc0, 6, 0, 0],
      [0, 7, 0x100, 0],
      [0x80, 6, 0x200, 0],
      [1, 11, 0, 0],
      [0xc0, 5, 78, 0],
      [0x80, 6, 0x100, 0],
    ] as const;
    const ended: number[] = [];
    const flights = requests.map(async (request, at) => {
      await stage.guest.tryControl(device, request, request[0] & 0x80 ? 3 : 0);
      ended.push(at);
    });
    await Promise.all(flights);
    assert.deepEqual(ended, [...requests.keys()]);
    stage.check();
  });

  it('for the qualifier are answered by high-speed devices alone', async () => {
    const ask = [0x80, 6, 0x600, 0] as const;
    const { stage, device } = await plugged(new SourceSink());
    const qualifier = [10, 6, 0, 2, 0, 0, 0, 64, 0, 0];
    assert.deepEqual([...(await stage.guest.control(device, ask, 10))], qualifier);
    assert.equal(await (await plugged(new Keyboard())).status(ask, 10), -32);
  });

  it('of the vendor with the number of SET_ADDRESS are not SET_ADDRESS', async () => {
    const { calls, status, stage, device } = await plugged(DFU);
    assert.equal(await status([0xc0, 5, 77, 0], 3), 0);
    assert.equal(await status([0x40, 5, 77, 0]), 0);
    assert.deepEqual(calls, ['c0054d0000000300', '40054d0000000000']);
    assert.equal((await stage.guest.control(device, [0x80, 6, 0x100, 0], 18)).length, 18);
  });

  it('at address 0, of a device that has one, are a reset by the guest: once for each', async () => {
    const { calls, stage, device } = await plugged(new SourceSink());
    for (let round = 0; round < 3; round++) {
      await stage.guest.enumerate(1, device.address);
      assert.equal(calls.filter((call) => call === 'reset').length, round + 1);
    }
    for (let round = 0; round < 50; round++) await stage.guest.enumerate(1, device.address);
    assert.ok(calls.filter((call) => call === 'reset').length < 12, 'a storm is not passed on');
    stage.check();
  });

  it('to an address that another device has are stalled, and nothing else is done at address 0', async () => {
    const { stage, device } = await plugged(new SourceSink());
    stage.plug(2, new VirtualDevice(new Keyboard()));
    await stage.guest.waitFor(2, true);
    const other = { port: 2, address: 0 };
    assert.equal((await stage.guest.tryControl(other, [0, 5, device.address, 0])).status, -32);
    assert.equal((await stage.guest.tryControl(other, [0x80, 0, 0, 0], 2)).status, -22);
    assert.equal((await stage.guest.tryControl({ port: 2, address: 99 }, [0x80, 0, 0, 0], 2)).status, -108);
    assert.notEqual((await stage.guest.enumerate(2)).address, device.address);
  });

  it('that change firmware, or what only a host may set, are stalled, and the reason is logged', async () => {
    const dfu = await plugged(DFU);
    assert.equal(await dfu.status([0x21, 0, 1000, 0]), -32);
    assert.equal(await dfu.status([0x21, 1, 0, 0], noise(64)), -32);
    assert.equal(await dfu.status([0xa1, 3, 0, 0], 6), 0, 'asking for the state is harmless');
    assert.equal(await dfu.status([0, 7, 0x100, 0], noise(18)), -32);
    assert.equal(await dfu.status([0, 3, 2, 0x100]), -32);
    assert.equal(await dfu.status([0x00, 48, 0, 0], noise(6)), -32);
    assert.equal(await dfu.status([0x21, 0x22, 0, 9]), -32, 'an interface that the device does not have');
    assert.equal(dfu.stage.controller.counters.stalled, 6);
    assert.equal(await dfu.status([0, 9, 0, 0]), 0);
    dfu.calls.length = 0;
    for (const requestType of [0x20, 0x21, 0x22, 0x23]) {
      assert.equal(await dfu.status([requestType, 0, 1000, 0]), -32, 'also when it is not configured');
    }
    assert.deepEqual(dfu.calls, []);
    assert.ok(dfu.stage.messages.some((message) => /DFU/.test(message)));
    const keyboard = await plugged(new Keyboard());
    assert.equal(await keyboard.status([0x21, 9, 0x300, 0], noise(8)), -32);
    assert.equal(await keyboard.status([0x21, 9, 0x200, 0], Uint8Array.of(1)), 0);
  });
});

describe('a SuperSpeed device', () => {
  it('is a high-speed one for the guest', async () => {
    const stick = new SourceSink();
    const descriptors = Buffer.from(stick.descriptors);
    descriptors[3] = 3;
    descriptors[7] = 9;
    const { device } = await plugged(
      Object.assign(Object.create(stick) as SourceSink, { speed: 'super', descriptors }),
    );
    assert.deepEqual([device.speed, device.device[7], device.device[3]], [3, 64, 2]);
  });
});

describe('a controller of version 1', () => {
  it('has no high-speed devices', () => {
    const stage = new Stage({ version: 1 });
    assert.match(stage.controller.plug(1, new VirtualDevice(new SourceSink())) ?? '', /version 1/);
    assert.equal(stage.controller.plug(1, new VirtualDevice(new Keyboard())), undefined);
  });
});
