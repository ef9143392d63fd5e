/** URBs that a device cannot have yet: the kernel has no memory, the guest has used up its budget, the device is busy. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Budget } from '../../src/backend/budget.js';
import { VirtualDevice } from '../../src/backend/virtual/device.js';
import { Keyboard } from '../../src/backend/virtual/keyboard.js';
import { SourceSink } from '../../src/backend/virtual/source-sink.js';
import type { Flight, GuestDevice } from '../../src/sim/frontend/index.js';
import { TransferType } from '../../src/usbif/index.js';
import { Stage } from './stage.js';

const NO_MEMORY = -12;
const SHUTDOWN = -108;
const BULK_PACKET = 512;

/** Resolves when what was begun has reached the devices. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

interface Bench {
  readonly stage: Stage;
  /** Ends the one URB that a keyboard has: until then nothing of the guest does. */
  readonly press: () => void;
  readonly pullOutKeyboard: () => void;
  readonly sink: VirtualDevice;
  readonly device: GuestDevice;
  /** The packets of each bulk transfer that the sink got, in order. */
  readonly got: number[];
  /** How many more bulk transfers the kernel has no memory for. */
  refusals: number;
  /** Sends bulk OUT URBs of so many packets. */
  send(...packets: readonly number[]): Flight[];
}

async function bench(budget = new Budget()): Promise<Bench> {
  const stage = new Stage({ budget });
  const keyboard = new Keyboard();
  const board = new VirtualDevice(keyboard);
  const sink = new VirtualDevice(new SourceSink());
  stage.plug(1, board);
  stage.plug(2, sink);
  await stage.guest.waitFor(1, true);
  await stage.guest.waitFor(2, true);
  const held = await stage.guest.enumerate(1);
  const device = await stage.guest.enumerate(2);
  stage.guest.start(held, 0x81, new Uint8Array(8), { type: TransferType.interrupt });
  await settled();
  const got: number[] = [];
  const submit = sink.submit.bind(sink);
  sink.submit = (transfer) => {
    if (transfer.type !== TransferType.bulk) return submit(transfer);
    if (made.refusals > 0) {
      made.refusals--;
      return NO_MEMORY;
    }
    got.push(transfer.length / BULK_PACKET);
    return submit(transfer);
  };
  // usbfs gives nothing back of a device that is gone.
  const reap = board.reap.bind(board);
  let isOut = false;
  board.reap = () => (isOut ? undefined : reap());
  const made: Bench = {
    stage,
    press: () => keyboard.type('a'),
    pullOutKeyboard: () => {
      isOut = true;
      board.pullOut();
    },
    sink,
    device,
    got,
    refusals: 0,
    send: (...packets) =>
      packets.map((count) => stage.guest.start(device, 0x01, new Uint8Array(count * BULK_PACKET))),
  };
  return made;
}

describe('URBs that the kernel has no memory for', () => {
  it('are tried again, in the order in which they were sent, also when nothing else ends', async () => {
    const at = await bench();
    at.refusals = 2;
    const flights = at.send(1, 2, 3);
    await settled();
    flights.push(...at.send(4));
    for (const { done } of flights) assert.equal((await done).status, 0);
    assert.deepEqual(at.got, [1, 2, 3, 4]);
    at.stage.check();
  });

  it('are tried again when the device whose URBs had the memory is pulled out', async () => {
    const at = await bench();
    at.refusals = 1;
    const [flight] = at.send(1);
    await settled();
    at.pullOutKeyboard();
    assert.equal((await flight!.done).status, 0);
  });

  it('can be ended by the guest, and the endpoint is used again', async () => {
    const at = await bench();
    const { stage, device } = at;
    at.refusals = 1;
    const start = (): Flight =>
      stage.guest.start(device, 0x81, new Uint8Array(BULK_PACKET), { shortNotOk: true });
    const first = start();
    await settled();
    first.unlink();
    assert.equal((await first.done).status, SHUTDOWN);
    assert.equal((await start().done).status, 0);
    stage.check();
  });
});

describe('URBs that wait for the budget of their guest', () => {
  const small = (): Budget => new Budget({ perGuest: 1, inAll: 1 });

  it('go in the order in which they were sent, also when the device is busy as their turn comes', async () => {
    const { sink, stage, device, ...at } = await bench(small());
    const flights = at.send(1, 2, 3);
    await settled();
    let free = (): void => undefined;
    sink.setInterface = () =>
      new Promise((resolve) => {
        free = () => resolve(0);
      });
    const select = stage.guest.tryControl(device, [1, 11, 0, 0]);
    await settled();
    flights.push(...at.send(4));
    await settled();
    assert.deepEqual(at.got, []);
    at.press();
    await settled();
    free();
    assert.equal((await select).status, 0);
    for (const { done } of flights) assert.equal((await done).status, 0);
    assert.deepEqual(at.got, [1, 2, 3, 4]);
    stage.check();
  });

  it('can be ended by the guest one by one, and the endpoint is used again', async () => {
    const { stage, device, press } = await bench(small());
    const start = (shortNotOk: boolean): Flight =>
      stage.guest.start(device, 0x81, new Uint8Array(BULK_PACKET), { shortNotOk });
    const [flagged, last] = [start(true), start(false)];
    await settled();
    flagged.unlink();
    assert.equal((await flagged.done).status, SHUTDOWN);
    press();
    assert.equal((await last.done).status, 0);
    assert.equal((await start(true).done).status, 0);
    stage.check();
  });
});
