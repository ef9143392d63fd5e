/** URBs that end early: by the guest, by the device, by whoever pulls it out, by whoever kills the backend. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LentDevice } from '../../src/backend/boundary.js';
import { VirtualDevice } from '../../src/backend/virtual/device.js';
import { Keyboard } from '../../src/backend/virtual/keyboard.js';
import { SourceSink } from '../../src/backend/virtual/source-sink.js';
import { Stick } from '../../src/backend/virtual/stick.js';
import { memoryStorage, type Storage } from '../../src/backend/virtual/storage.js';
import { type Flight, type GuestDevice, GuestStorage } from '../../src/sim/frontend/index.js';
import { TransferType } from '../../src/usbif/index.js';
import { noise, Stage } from './stage.js';

const SHUTDOWN = -108;
const IO_ERROR = -71;

/** A storage whose reads wait until they are let go. */
function slowStorage(bytes: Uint8Array): Storage & { go(): void; readonly isAsked: Promise<void> } {
  let go: () => void = () => undefined;
  let asked: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  return {
    ...memoryStorage(bytes),
    go,
    isAsked,
    read: async (at, length) => {
      asked();
      await gate;
      return bytes.subarray(at, at + length);
    },
  };
}

/** URBs that do not end by themselves, of each kind that there is. */
const KINDS: readonly {
  readonly name: string;
  device(): VirtualDevice;
  begin(stage: Stage, device: GuestDevice): Promise<Flight[]>;
}[] = [
  {
    name: 'interrupt',
    device: () => new VirtualDevice(new Keyboard()),
    begin: async ({ guest }, device) =>
      [1, 2, 3].map(() => guest.start(device, 0x81, new Uint8Array(8), { type: TransferType.interrupt })),
  },
  {
    name: 'flagged bulk IN',
    device: () => new VirtualDevice(new Stick(slowStorage(noise(65_536)), 'A1')),
    begin: async ({ guest }, device) => {
      await guest.bulk(device, 2, readCommand(32_768));
      return [1, 2, 3, 4, 5, 6, 7, 8].map((at) =>
        guest.start(device, 0x81, new Uint8Array(4096), { shortNotOk: at < 8 }),
      );
    },
  },
  {
    name: 'bulk OUT',
    device: () => {
      const storage = {
        ...memoryStorage(new Uint8Array(65_536)),
        write: () => new Promise<void>(() => undefined),
      };
      return new VirtualDevice(new Stick(storage, 'A1'));
    },
    begin: async ({ guest }, device) => {
      const command = readCommand(32_768);
      command.set([0, 0, 10, 0x2a], 12);
      await guest.bulk(device, 2, command);
      const [first, ...others] = [1, 2, 3, 4].map(() => guest.start(device, 2, new Uint8Array(4096)));
      await first!.done;
      return others;
    },
  },
];

function readCommand(length: number): Uint8Array {
  const block = new Uint8Array(31);
  const view = new DataView(block.buffer);
  view.setUint32(0, 0x4342_5355, true);
  view.setUint32(8, length, true);
  block.set([0x80, 0, 10, 0x28, 0, 0, 0, 0, 0, 0, 0, length / 512, 0], 12);
  return block;
}

async function begun(stage: Stage, device: VirtualDevice): Promise<GuestDevice> {
  stage.plug(1, device);
  await stage.guest.waitFor(1, true);
  return stage.guest.enumerate(1);
}

/** Resolves when the device has what it is to have. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    assert.ok(turn < 10_000, 'it never happens');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const { name, device: make, begin } of KINDS) {
  describe(`URBs of ${name}`, () => {
    /** A device that has URBs of a guest. */
    const inFlight = async () => {
      const stage = new Stage();
      const virtual = make();
      const device = await begun(stage, virtual);
      const flights = await begin(stage, device);
      await until(() => virtual.pendingCount > 0);
      return { stage, virtual, device, flights };
    };

    it('are ended by the guest, each once, and the device is used again', async () => {
      const { stage, virtual, device, flights } = await inFlight();
      for (const flight of flights) flight.unlink();
      for (const { done } of flights) assert.equal((await done).status, SHUTDOWN);
      assert.equal(virtual.pendingCount, 0);
      await until(() => stage.guest.hcd.inFlight === 0);
      assert.equal((await stage.guest.control(device, [0x80, 6, 0x100, 0], 18)).length, 18);
      stage.check();
      assert.equal(stage.guest.hcd.grants.size, 0);
    });

    it('are ended when the device is pulled out, and then the guest hears of it', async () => {
      const { stage, virtual, device, flights } = await inFlight();
      virtual.pullOut();
      for (const { done } of flights) assert.equal((await done).status, SHUTDOWN);
      await stage.guest.waitFor(1, false);
      const late = stage.guest.start(device, 0x81, new Uint8Array(8));
      assert.equal((await late.done).status, SHUTDOWN);
      // Another device in the same port, of the same speed.
      assert.equal((await begun(stage, make())).port, 1);
      stage.check();
    });

    it('are ended when the device is taken back', async () => {
      const { stage, virtual, flights } = await inFlight();
      await stage.controller.unplug(1);
      assert.equal(virtual.pendingCount, 0);
      for (const { done } of flights) assert.equal((await done).status, SHUTDOWN);
      await stage.guest.waitFor(1, false);
      stage.check();
    });

    it('are ended with an error that drivers try again after, when the backend is killed', async () => {
      const { stage, device, flights } = await inFlight();
      await stage.kill();
      stage.plug(1, make());
      for (const { done } of flights) assert.equal((await done).status, IO_ERROR);
      assert.ok(stage.guest.plugged.has(1), 'the guest does not see its device go');
      assert.equal((await stage.guest.control(device, [0x80, 8, 0, 0], 1))[0], 1, 'still configured');
      assert.equal((await stage.guest.enumerate(1, device.address)).address, device.address);
      stage.check();
    });
  });
}

describe('a device that is pulled out', () => {
  it('while it is being reset is let go of when that has ended, and the guest hears of it last', async () => {
    const stage = new Stage();
    const virtual = new VirtualDevice(new Keyboard());
    const device = await begun(stage, virtual);
    const waiting = stage.guest.start(device, 0x81, new Uint8Array(8), { type: TransferType.interrupt });
    let end: (errno: number) => void = () => undefined;
    virtual.reset = () =>
      new Promise((resolve) => {
        end = resolve;
      });
    const reset = stage.guest.tryControl({ port: 1, address: 0 }, [0x80, 6, 0x100, 0], 18);
    await until(() => stage.controller.ports.get(1)!.isBusy);
    virtual.pullOut();
    assert.equal((await waiting.done).status, SHUTDOWN);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.notEqual(stage.progress.get(1), undefined, 'whoever has it open would close it');
    assert.ok(stage.guest.plugged.has(1));
    end(-19);
    assert.equal((await reset).status, SHUTDOWN);
    await stage.guest.waitFor(1, false);
    assert.equal(stage.progress.get(1), undefined);
    assert.equal(stage.controller.ports.size, 0);
    stage.check();
  });
});

describe('a backend that is killed', () => {
  it('in the middle of reads is followed by one that goes on, and the bytes are right', async () => {
    const stage = new Stage();
    const image = noise(256 * 1024);
    const make = (): LentDevice => new VirtualDevice(new Stick(memoryStorage(image), 'A1'));
    const device = await begun(stage, make() as VirtualDevice);
    const storage = new GuestStorage(stage.guest, device);
    const reading = (async () => {
      for (let round = 0; round < 6; round++) {
        for (let at = 0; at < image.length; at += 65_536) {
          const read = await storage.read(at, 65_536);
          assert.equal(Buffer.compare(read, image.subarray(at, at + 65_536)), 0, `at ${at}`);
        }
      }
    })();
    let kills = 0;
    for (let wait = 1; wait < 40; wait += 3) {
      for (let turn = 0; turn < wait; turn++) await new Promise((resolve) => setImmediate(resolve));
      await stage.kill();
      stage.plug(1, make());
      kills++;
    }
    await reading;
    assert.ok(kills > 10 && storage.resets > 0 && storage.resets <= kills * 2);
    stage.check();
  });

  it('leaves settings and addresses to the next one', async () => {
    const stage = new Stage();
    const device = await begun(stage, new VirtualDevice(new SourceSink()));
    await stage.guest.control(device, [1, 11, 1, 0]);
    await stage.kill();
    stage.plug(1, new VirtualDevice(new SourceSink()));
    const flight = stage.guest.hcd.submit({
      ...device,
      endpoint: 2,
      input: true,
      type: TransferType.isochronous,
      data: new Uint8Array(100),
      packets: [{ offset: 0, length: 100 }],
    });
    assert.equal((await flight.done).status, 0);
    stage.check();
  });

  it('finds another device in the port: the guest sees a replug', async () => {
    const stage = new Stage();
    await begun(stage, new VirtualDevice(new SourceSink()));
    await stage.kill();
    stage.plug(1, new VirtualDevice(new Stick(memoryStorage(noise(4096)), 'A1')));
    await until(() => stage.guest.plugs.length === 3);
    assert.deepEqual(
      stage.guest.plugs.map(({ speed }) => speed),
      [3, 0, 3],
    );
    assert.equal((await stage.guest.enumerate(1)).device[10], 5);
    stage.check();
  });

  it('finds nothing in the port: the guest hears of it', async () => {
    const stage = new Stage();
    await begun(stage, new VirtualDevice(new SourceSink()));
    await stage.kill();
    stage.controller.empty(1);
    await stage.guest.waitFor(1, false);
    stage.check();
  });
});

describe('a run of flagged URBs in which one is unlinked', () => {
  it('goes on with the others', async () => {
    const stage = new Stage();
    const image = noise(65_536);
    const storage = slowStorage(image);
    const virtual = new VirtualDevice(new Stick(storage, 'A1'));
    const device = await begun(stage, virtual);
    await stage.guest.bulk(device, 2, readCommand(32_768));
    const buffers = [0, 1, 2, 3].map(() => new Uint8Array(4096));
    const flights = buffers.map((data) => stage.guest.start(device, 0x81, data, { shortNotOk: true }));
    await storage.isAsked;
    flights[0]!.unlink();
    assert.equal((await flights[0]!.done).status, SHUTDOWN);
    storage.go();
    for (const { done } of flights.slice(1)) assert.deepEqual([(await done).status], [0]);
    assert.equal(Buffer.compare(Buffer.concat(buffers.slice(1)), image.subarray(0, 3 * 4096)), 0);
    stage.check();
  });
});
