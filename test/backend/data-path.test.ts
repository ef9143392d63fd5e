/** The whole data path in one process: a simulated guest, the rings, the engine, a device. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { parseFirewall } from '../../src/backend/firewall-text.js';
import { VirtualDevice } from '../../src/backend/virtual/device.js';
import { Keyboard } from '../../src/backend/virtual/keyboard.js';
import { SourceSink } from '../../src/backend/virtual/source-sink.js';
import { Stick } from '../../src/backend/virtual/stick.js';
import { memoryStorage } from '../../src/backend/virtual/storage.js';
import { type GuestDevice, GuestStorage } from '../../src/sim/frontend/index.js';
import { TransferType } from '../../src/usbif/index.js';
import { noise, Stage } from './stage.js';

async function enumerated(stage: Stage, port: number, device: VirtualDevice): Promise<GuestDevice> {
  stage.plug(port, device);
  await stage.guest.waitFor(port, true);
  return stage.guest.enumerate(port);
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}

describe('an endpoint that a rule stalls', () => {
  it('takes nothing, which is told once, and leaves the others alone', async () => {
    const stage = new Stage({ rules: parseFirewall('stall class=ff endpoint=0x01').rules });
    const sink = new SourceSink();
    const device = await enumerated(stage, 1, new VirtualDevice(sink));
    for (let time = 0; time < 50; time++) {
      assert.equal((await stage.guest.start(device, 0x01, new Uint8Array(512)).done).status, -32);
    }
    assert.equal((await stage.guest.start(device, 0x81, new Uint8Array(512)).done).status, 0);
    assert.equal(sink.received, 0);
    assert.equal(stage.controller.counters.stalled, 50);
    const told = stage.messages.filter((message) => message.includes('stalled'));
    assert.deepEqual(told, [
      "port 1: endpoint 0x01 is stalled: line 1 of the host's firewall rules forbids it",
    ]);
    stage.check();
  });
});

describe('a stick in a guest', () => {
  it('is enumerated, read by hash in pieces of every size, and written', async () => {
    const stage = new Stage();
    const image = noise(512 * 1024);
    const stick = new VirtualDevice(new Stick(memoryStorage(image), 'A1'));
    const device = await enumerated(stage, 1, stick);
    assert.equal(device.speed, 3);
    assert.equal(stage.progress.get(1), 'configured');
    const serial = await stage.guest.control(device, [0x80, 6, 0x303, 0x409], 255);
    assert.equal(Buffer.from(serial.subarray(2)).toString('utf16le'), 'A1');
    for (const piece of [512, 4096, 61_440]) {
      const storage = new GuestStorage(stage.guest, device, piece);
      assert.equal(await storage.capacity(), image.length);
      const parts: Uint8Array[] = [];
      for (let at = 0; at < image.length; at += 122_880) {
        parts.push(await storage.read(at, Math.min(122_880, image.length - at)));
      }
      assert.equal(md5(Buffer.concat(parts)), md5(image), `pieces of ${piece}`);
      assert.equal(storage.resets, 0);
    }
    const storage = new GuestStorage(stage.guest, device);
    const written = noise(100 * 1024, 9);
    await storage.write(64 * 1024, written);
    assert.equal(md5(image.subarray(64 * 1024, 164 * 1024)), md5(written));
    assert.equal(md5(await storage.read(64 * 1024, written.length)), md5(written));
    stage.check();
    assert.equal(stage.guest.hcd.grants.size, 0);
    assert.ok(stage.controller.counters.transfers < stage.controller.counters.requests);
  });

  it('that may not be written says so, and what it does not know it refuses', async () => {
    const stage = new Stage();
    const image = noise(64 * 1024);
    const before = md5(image);
    const device = await enumerated(stage, 2, new VirtualDevice(new Stick(memoryStorage(image, true), 'A1')));
    const storage = new GuestStorage(stage.guest, device);
    await assert.rejects(storage.write(0, noise(4096, 3)), /status 1/);
    assert.equal(md5(image), before);
    assert.equal(await storage.plain([0xff, 0, 0, 0, 0, 0]), false);
    await assert.rejects(storage.read(image.length, 512), /status 1/);
    assert.deepEqual(await storage.read(512, 512), image.slice(512, 1024));
    stage.check();
  });

  it('is short without a stall: what belongs to the status is never taken by data', async () => {
    const stage = new Stage();
    const device = await enumerated(stage, 1, new VirtualDevice(new Stick(memoryStorage(noise(4096)), 'A1')));
    const { guest } = stage;
    // INQUIRY of 36 bytes into room for 3 URBs of 4 KiB, all but the last flagged.
    const block = new Uint8Array(31);
    const view = new DataView(block.buffer);
    view.setUint32(0, 0x4342_5355, true);
    view.setUint32(8, 3 * 4096, true);
    block.set([0x80, 0, 6, 0x12, 0, 0, 0, 36, 0], 12);
    await guest.bulk(device, 2, block);
    const pieces = [0, 1, 2].map(() => new Uint8Array(4096));
    assert.equal(await guest.scattered(device, 0x81, pieces), 36);
    assert.equal(Buffer.from(pieces[0]!.subarray(8, 13)).toString(), 'pvusb');
    const status = new Uint8Array(64);
    assert.equal(await guest.bulk(device, 0x81, status), 13);
    assert.equal(status[12], 0);
    stage.check();
  });
});

describe('a keyboard in a guest', () => {
  it('types', async () => {
    const stage = new Stage();
    const keyboard = new Keyboard();
    const device = await enumerated(stage, 3, new VirtualDevice(keyboard));
    assert.equal(device.speed, 2);
    await stage.guest.control(device, [0x21, 0x0a, 0, 0]);
    await stage.guest.control(device, [0x21, 9, 0x200, 0], Uint8Array.of(2));
    assert.equal(keyboard.leds, 2);
    keyboard.type('hi');
    const keys: number[] = [];
    for (let report = 0; report < 4; report++) {
      const data = new Uint8Array(8);
      const { done } = stage.guest.start(device, 0x81, data, { type: TransferType.interrupt });
      assert.deepEqual([(await done).status, (await done).actualLength], [0, 8]);
      keys.push(data[2]!);
    }
    assert.deepEqual(keys, [11, 0, 12, 0]);
    stage.check();
  });
});

describe('a source and sink in a guest', () => {
  it('moves bytes both ways with many URBs at once, and its control buffer', async () => {
    const stage = new Stage();
    const sink = new SourceSink('mod63');
    const device = await enumerated(stage, 8, new VirtualDevice(sink));
    const { guest } = stage;
    const pattern = Uint8Array.from({ length: 60_000 }, (_, at) => (at % 512) % 63);
    const jobs = Array.from({ length: 40 }, async (_, at) => {
      const length = 512 * (at + 1);
      const data = at % 2 ? pattern.slice(0, length) : new Uint8Array(length);
      const { done } = guest.start(device, at % 2 ? 1 : 0x81, data, { offset: at * 100 });
      const { status, actualLength } = await done;
      assert.deepEqual([status, actualLength], [0, length]);
      assert.deepEqual(data, pattern.slice(0, length));
    });
    await Promise.all(jobs);
    for (const length of [1, 64, 4096, 20_000]) {
      const written = noise(length, length);
      await guest.control(device, [0x40, 0x5b, 0, 0], written);
      assert.deepEqual(await guest.control(device, [0xc0, 0x5c, 0, 0], length), written);
    }
    stage.check();
    assert.ok(sink.received > 0);
  });

  it('carries isochronous packets, each where the guest wants it', async () => {
    const stage = new Stage();
    const sink = new SourceSink('mod63');
    const device = await enumerated(stage, 1, new VirtualDevice(sink));
    const { guest } = stage;
    await guest.control(device, [1, 11, 1, 0]);
    const packets = [0, 1, 2, 3].map((at) => ({ offset: 300 + at * 1500, length: 1000 - at }));
    const data = new Uint8Array(8000).fill(0xee);
    const flight = guest.hcd.submit({
      ...device,
      endpoint: 2,
      input: true,
      type: TransferType.isochronous,
      data,
      packets,
      offset: 77,
    });
    const result = await flight.done;
    assert.equal(result.status, 0);
    assert.deepEqual(
      result.packets.map(({ actualLength }) => actualLength),
      packets.map(({ length }) => length),
    );
    packets.forEach(({ offset, length }) => {
      assert.deepEqual(
        data.slice(offset, offset + length),
        Uint8Array.from({ length }, (_, at) => (at % 512) % 63),
      );
    });
    assert.equal(data[299], 0, 'nothing else is written');
    const out = new Uint8Array(4000);
    const parts = [0, 1].map((at) => ({ offset: at * 2000, length: 512 }));
    for (const { offset } of parts) for (let at = 0; at < 512; at++) out[offset + at] = at % 63;
    const sent = guest.hcd.submit({
      ...device,
      endpoint: 2,
      input: false,
      type: TransferType.isochronous,
      data: out,
      packets: parts,
    });
    assert.equal((await sent.done).status, 0);
    assert.equal(sink.received, 1024);
    stage.check();
  });
});
