import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatMetrics, newCounters } from '../../src/backend/metrics.js';
import { Trace } from '../../src/backend/tracer.js';
import { VirtualDevice } from '../../src/backend/virtual/device.js';
import { Keyboard } from '../../src/backend/virtual/keyboard.js';
import { Stick } from '../../src/backend/virtual/stick.js';
import { memoryStorage } from '../../src/backend/virtual/storage.js';
import { GuestStorage } from '../../src/sim/frontend/index.js';
import { TransferType } from '../../src/usbif/index.js';
import { noise, Stage } from './stage.js';

interface Event {
  readonly tag: bigint;
  readonly type: string;
  readonly kind: number;
  readonly endpoint: number;
  readonly status: number;
  readonly length: number;
  readonly data: Buffer;
}

/** Reads a trace as Documentation/usb/usbmon.rst and the pcap format describe it. */
function eventsOf(file: Buffer): Event[] {
  assert.deepEqual([file.readUInt32LE(0), file.readUInt32LE(20)], [0xa1b2c3d4, 220]);
  const events: Event[] = [];
  for (let at = 24; at < file.length; ) {
    const length = file.readUInt32LE(at + 8);
    const head = file.subarray(at + 16, at + 16 + length);
    assert.equal(head.readUInt32LE(36), head.length - 64);
    events.push({
      tag: head.readBigUInt64LE(0),
      type: String.fromCharCode(head[8]!),
      kind: head[9]!,
      endpoint: head[10]!,
      status: head.readInt32LE(28),
      length: head.readUInt32LE(32),
      data: head.subarray(64),
    });
    at += 16 + length;
  }
  return events;
}

async function traced(withSecrets: boolean): Promise<Event[]> {
  const written: Buffer[] = [];
  const write = (bytes: Uint8Array): number => written.push(Buffer.from(bytes));
  const trace = new Trace({ write, nowUs: () => 1_700_000_000_123_456, withSecrets });
  const stage = new Stage({ tracer: trace.of(5) });
  const keyboard = new Keyboard();
  stage.plug(1, new VirtualDevice(keyboard));
  stage.plug(2, new VirtualDevice(new Stick(memoryStorage(noise(4096)), 'A1')));
  await stage.guest.waitFor(2, true);
  const keys = await stage.guest.enumerate(1);
  keyboard.type('s');
  await stage.guest.start(keys, 0x81, new Uint8Array(8), { type: TransferType.interrupt }).done;
  await new GuestStorage(stage.guest, await stage.guest.enumerate(2)).read(0, 1024);
  return eventsOf(Buffer.concat(written));
}

describe('a trace', () => {
  it('has each URB twice, with its data, but not what was typed', async () => {
    const events = await traced(false);
    for (const tag of new Set(events.map((event) => event.tag))) {
      const both = events.filter((event) => event.tag === tag);
      assert.deepEqual(
        both.map(({ type }) => type),
        ['S', 'C'],
      );
    }
    const ended = events.filter(({ type }) => type === 'C');
    const descriptor = ended.find(({ kind }) => kind === TransferType.control);
    assert.equal(descriptor?.data[0], 18);
    const block = ended.find(({ kind, length }) => kind === TransferType.bulk && length === 1024);
    assert.equal(Buffer.compare(block!.data, noise(4096).subarray(0, 1024)), 0);
    const command = events.find(({ type, endpoint }) => type === 'S' && endpoint === 2);
    assert.equal(command?.data.subarray(0, 4).toString(), 'USBC');
    const key = ended.find(({ kind }) => kind === TransferType.interrupt);
    assert.deepEqual([key?.length, key?.data.length], [8, 0]);
  });

  it('has that too when it is asked for', async () => {
    const key = (await traced(true)).find(
      ({ type, kind }) => type === 'C' && kind === TransferType.interrupt,
    );
    assert.equal(key?.data[2], 22);
  });
});

describe('metrics', () => {
  it('are lines that Prometheus reads', () => {
    const text = formatMetrics([{ domid: 3, devid: 1, counters: { ...newCounters(), bytesIn: 17 } }]);
    assert.match(
      text,
      /^# TYPE pvusb_backend_bytes_in_total counter\npvusb_backend_bytes_in_total\{domid="3",devid="1"\} 17$/m,
    );
    for (const line of text.trimEnd().split('\n'))
      assert.match(line, /^(# TYPE \w+ counter|\w+\{[^}]*\} \d+)$/);
  });
});
