import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { systemClock } from '../../src/async/index.js';
import { Blocks, plainMemory } from '../../src/backend/blocks.js';
import type { Block, DeviceListener, Transfer } from '../../src/backend/boundary.js';
import { Budget } from '../../src/backend/budget.js';
import { Controller } from '../../src/backend/controller.js';
import { JOURNAL_BYTES, Journal } from '../../src/backend/journal.js';
import { VirtualDevice } from '../../src/backend/virtual/device.js';
import { SourceSink } from '../../src/backend/virtual/source-sink.js';
import { Stick } from '../../src/backend/virtual/stick.js';
import { memoryStorage } from '../../src/backend/virtual/storage.js';
import { EventChannels } from '../../src/linux/evtchn.js';
import { GrantDevice } from '../../src/linux/gntdev.js';
import { openUsbfs } from '../../src/linux/usbfs.js';
import { UsbfsRequest } from '../../src/linux/usbfs-numbers.js';
import { UrbPool } from '../../src/linux/usbfs-urb.js';
import { GuestStorage, SimUsbGuest } from '../../src/sim/frontend/index.js';
import { readProjectFile } from '../architecture/sources.js';
import { noise } from '../backend/stage.js';
import { FakeKernel } from './fake-kernel.js';

const GOLDEN = JSON.parse(readProjectFile('test/fixtures/linux/golden.json')) as Readonly<
  Record<string, number | string>
>;

describe('usbfs', () => {
  it('has the numbers of the header', () => {
    for (const [name, number] of Object.entries(UsbfsRequest)) assert.equal(number, GOLDEN[name], name);
  });

  it('has URBs of the same bytes as a C program', () => {
    const memory = { ...plainMemory, unmap: () => undefined };
    const pool = new UrbPool({ ...memory, allocate: (bytes) => (block = plainMemory.allocate(bytes)) });
    let block: Block = plainMemory.allocate(4096);
    const written = (transfer: Transfer, bytes: number): string => {
      const address = pool.fill(transfer);
      return Buffer.from(block.bytes.subarray(address, address + bytes)).toString('hex');
    };
    const results = { status: 0, actualLength: 0, startFrame: 0, errorCount: 0 };
    const bulk: Transfer = {
      type: 3,
      endpoint: 0x81,
      block: { bytes: new Uint8Array(0), address: 0x1234_5678_9000 },
      start: 0x10,
      length: 65_536,
      shortNotOk: true,
      packets: undefined,
      ...results,
    };
    // What the kernel writes is 0 before it has.
    assert.equal(written(bulk, 56), withZeros(String(GOLDEN.bulkUrb), [4, 28]));
    const packets = {
      lengths: Int32Array.of(100, 200),
      actualLengths: new Int32Array(2),
      statuses: new Int32Array(2),
    };
    const iso: Transfer = { ...bulk, type: 0, endpoint: 0x82, length: 300, packets, shortNotOk: false };
    const address = pool.fill({ ...iso, block: { bytes: new Uint8Array(0), address: 0xff0 } });
    const golden = Buffer.from(String(GOLDEN.isoUrb), 'hex');
    const own = Buffer.from(block.bytes.subarray(address, address + golden.length));
    assert.equal(own.toString('hex'), withZeros(golden.toString('hex'), [28, 32, 40, 60, 64, 72, 76]));
    block.bytes.set(golden, address);
    const done = pool.finish(address)!;
    assert.deepEqual([done.actualLength, done.startFrame, done.errorCount], [150, 77, 1]);
    assert.deepEqual(
      [[...done.packets!.actualLengths], [...done.packets!.statuses]],
      [
        [100, 50],
        [0, -71],
      ],
    );
  });
});

function withZeros(hex: string, places: readonly number[]): string {
  const bytes = Buffer.from(hex, 'hex');
  for (const place of places) bytes.writeUInt32LE(0, place);
  return bytes.toString('hex');
}

/** Sends without delay; the event comes as well, unless the transfer has been reaped by then. */
class PromptDevice extends VirtualDevice {
  readonly #sent: Transfer[] = [];
  #listener: DeviceListener | undefined;

  override start(listener: DeviceListener): void {
    this.#listener = listener;
    super.start(listener);
  }

  override submit(transfer: Transfer): number {
    if (transfer.endpoint !== 0x81) return super.submit(transfer);
    transfer.actualLength = transfer.length;
    this.#sent.push(transfer);
    setImmediate(() => {
      if (this.#sent.length > 0) this.#listener?.ready();
    });
    return 0;
  }

  override reap(): Transfer | undefined {
    return this.#sent.shift() ?? super.reap();
  }
}

/** The whole path of a real backend, with system calls that a simulated kernel takes. */
async function served(make: () => VirtualDevice): Promise<{
  guest: SimUsbGuest;
  kernel: FakeKernel;
  end: () => Promise<void>;
  pullOut: () => void;
}> {
  const guest = new SimUsbGuest(4);
  const kernel = new FakeKernel(guest.hcd, [101, 102]);
  let device: VirtualDevice | undefined;
  kernel.addDevice('/dev/bus/usb/001/002', () => (device = make()));
  const grants = new GrantDevice(kernel);
  const channels = new EventChannels(kernel, () => assert.fail('lost'));
  const journal = new Journal(new Uint8Array(JOURNAL_BYTES));
  journal.begin({ urbRef: 101, connectionRef: 102, eventChannel: 9 });
  const controller = new Controller({
    domid: 5,
    portCount: 4,
    version: 2,
    memory: grants.open(5, 101, 102),
    channel: channels.bind(5, 9),
    journal,
    blocks: new Blocks(kernel),
    budget: new Budget(),
    rules: [],
    clock: systemClock,
    listener: { broken: assert.fail, portChanged: () => undefined, log: () => undefined },
  });
  controller.start();
  const { configuration } = make();
  const lent = await openUsbfs(kernel, { node: '/dev/bus/usb/001/002', configuration });
  assert.equal(controller.plug(1, lent), undefined);
  await guest.waitFor(1, true);
  const end = async (): Promise<void> => {
    await controller.unplug(1);
    await lent.close();
    await controller.close();
    channels.close();
    assert.equal(kernel.held, 1, 'only the grant device, which all guests share');
    assert.equal(guest.hcd.dead, undefined);
    assert.equal(guest.hcd.spurious, 0);
  };
  return { guest, kernel, end, pullOut: () => device?.pullOut() };
}

describe('the rings of a guest', () => {
  const interrupted = (interruptions: number) => {
    const kernel = new FakeKernel(new SimUsbGuest(4).hcd, [101, 102]);
    kernel.interruptions = interruptions;
    return { kernel, grants: new GrantDevice(kernel) };
  };

  it('are mapped from the beginning when a signal has interrupted that', () => {
    const { kernel, grants } = interrupted(3);
    grants.open(5, 101, 102).close();
    assert.equal(kernel.held, 1, 'the grant device');
  });

  it('are not when signals never stop coming', () => {
    const { kernel, grants } = interrupted(1e9);
    assert.throws(() => grants.open(5, 101, 102), { code: 'EINTR' });
    assert.equal(kernel.held, 1, 'the grant device');
  });
});

describe('a guest served by system calls', () => {
  it('reads and writes a stick, with few calls', async () => {
    const image = noise(256 * 1024);
    const { guest, kernel, end } = await served(
      () => new VirtualDevice(new Stick(memoryStorage(image), 'A1')),
    );
    const storage = new GuestStorage(guest, await guest.enumerate(1));
    kernel.calls.length = 0;
    const read = await storage.read(0, 65_536);
    assert.equal(Buffer.compare(read, image.subarray(0, 65_536)), 0);
    const count = (name: string): number => kernel.calls.filter((call) => call === name).length;
    assert.ok(count('submit') <= 6 && count('copy') <= 6 && count('notify') <= 6, kernel.calls.join());
    const written = noise(40_960, 4);
    await storage.write(8192, written);
    assert.equal(Buffer.compare(image.subarray(8192, 8192 + written.length), written), 0);
    await end();
  });

  it('waits for few events when its device ends transfers in the call that starts them', async () => {
    const { guest, kernel, end } = await served(() => new PromptDevice(new SourceSink()));
    const device = await guest.enumerate(1);
    const eventsOf = async (reads: number): Promise<number> => {
      kernel.calls.length = 0;
      for (let at = 0; at < reads; at++) {
        const { actualLength } = await guest.start(device, 0x81, new Uint8Array(512)).done;
        assert.equal(actualLength, 512);
      }
      return kernel.calls.filter((call) => call === 'event').length;
    };
    assert.ok((await eventsOf(100)) < 100, 'until the first look that finds something');
    assert.equal(await eventsOf(100), 0);
    await end();
  });

  it('chooses settings, clears halts, resets, and unlinks', async () => {
    const { guest, kernel, end } = await served(() => new VirtualDevice(new SourceSink()));
    const device = await guest.enumerate(1);
    await guest.control(device, [1, 11, 1, 0]);
    const flight = guest.hcd.submit({
      ...device,
      endpoint: 2,
      input: true,
      type: 0,
      data: new Uint8Array(2000),
      packets: [
        { offset: 0, length: 900 },
        { offset: 1000, length: 800 },
      ],
    });
    const { packets } = await flight.done;
    assert.deepEqual(
      packets.map(({ actualLength }) => actualLength),
      [900, 800],
    );
    await guest.control(device, [2, 1, 0, 0x81]);
    await guest.enumerate(1, device.address);
    const claims = kernel.calls.filter((call) => call === '8108551b 0').length;
    assert.equal(claims, 3, 'at first, after the reset, and after the configuration was set anew');
    await end();
  });

  it('loses a device in the middle of a transfer', async () => {
    const { guest, end, pullOut } = await served(
      () => new VirtualDevice(new Stick(memoryStorage(noise(4096)), 'A1')),
    );
    const device = await guest.enumerate(1);
    await guest.bulk(device, 2, new Uint8Array(31)).catch(() => undefined);
    pullOut();
    await guest.waitFor(1, false);
    assert.equal((await guest.start(device, 0x81, new Uint8Array(8)).done).status, -108);
    await end();
  });
});
