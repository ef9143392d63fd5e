import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemClock } from '../../src/async/index.js';
import { Blocks, plainMemory } from '../../src/backend/blocks.js';
import type { Block, Transfer } from '../../src/backend/boundary.js';
import { Budget } from '../../src/backend/budget.js';
import { Controller } from '../../src/backend/controller.js';
import { JOURNAL_BYTES, Journal } from '../../src/backend/journal.js';
import { VirtualDevice } from '../../src/backend/virtual/device.js';
import { SourceSink } from '../../src/backend/virtual/source-sink.js';
import { Stick } from '../../src/backend/virtual/stick.js';
import { memoryStorage } from '../../src/backend/virtual/storage.js';
import { LinuxError } from '../../src/linux/errors.js';
import { EventChannels } from '../../src/linux/evtchn.js';
import { GrantDevice } from '../../src/linux/gntdev.js';
import { openJournal, removeJournal } from '../../src/linux/journal-file.js';
import { loadLibc, O_NONBLOCK, O_RDWR } from '../../src/linux/libc.js';
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

describe('the C library of this machine', () => {
  it('gives memory, and waits for a device in the event loop', async () => {
    const libc = await loadLibc();
    const block = libc.allocate(8192);
    block.bytes[8191] = 7;
    assert.equal(block.address % 4096, 0);
    const fd = libc.open('/dev/random', 0o4000);
    const read = await new Promise<number>((resolve) => {
      const end = libc.wait(
        fd,
        { readable: true },
        () => {
          end();
          resolve(libc.read(fd, block.address, 100));
        },
        () => assert.fail('lost'),
      );
    });
    assert.equal(read, 100);
    assert.notDeepEqual(block.bytes.subarray(0, 100), new Uint8Array(100));
    assert.ok(libc.ioctl(fd, UsbfsRequest.getSpeed, 0) < 0, 'not a USB device');
    assert.ok((await libc.ioctlLater(fd, UsbfsRequest.reset, 0)) < 0);
    libc.close(fd);
    libc.unmap(block);
  });

  it('lets the process end, whatever it still waits for', async () => {
    // Nothing ever comes from a terminal that nobody has.
    const program = `
      const { loadLibc } = await import(${JSON.stringify(import.meta.resolve('../../src/linux/libc.js'))});
      const libc = await loadLibc();
      libc.wait(libc.open('/dev/ptmx', ${O_RDWR | O_NONBLOCK}), { readable: true }, process.abort, process.abort);
      process.on('SIGTERM', () => libc.endWaits());
      setTimeout(() => console.log('waits'), 1).unref();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill();
    assert.deepEqual(await once(child, 'close'), [0, null]);
  });

  it('keeps a journal in a file, for whoever maps it next', async () => {
    const libc = await loadLibc();
    const folder = mkdtempSync(join(tmpdir(), 'pvusb-journal-'));
    const path = join(folder, 'run/3-0.journal');
    const connected = { urbRef: 8, connectionRef: 9, eventChannel: 3 };
    new Journal(openJournal(libc, path)).begin(connected);
    new Journal(openJournal(libc, path)).open(5, 77);
    const left = new Journal(openJournal(libc, path));
    assert.ok(left.isOf(connected));
    assert.deepEqual(left.left(0)?.open, [{ slot: 5, id: 77 }]);
    assert.equal(readFileSync(path).length, JOURNAL_BYTES);
    removeJournal(path);
    assert.equal(new Journal(openJournal(libc, path)).isOf(connected), false);
    rmSync(folder, { recursive: true });
  });

  it('refuses to wait for other files, and names what is missing', async () => {
    const libc = await loadLibc();
    const fd = openSync('package.json', 'r');
    assert.throws(() => libc.wait(fd, {}, assert.fail, assert.fail), LinuxError);
    closeSync(fd);
    assert.throws(() => libc.open('/nowhere', 0), { code: 'ENOENT' });
    assert.throws(() => libc.map(-1, 4096, 0), { code: 'EBADF' });
  });
});
