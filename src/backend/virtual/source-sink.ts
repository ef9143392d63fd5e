/** A virtual source and sink of bytes, which the kernel's `usbtest` knows as Gadget Zero. */
import type { Setup } from '../../usb/index.js';
import { describe, type EndpointSpec } from './describe.js';
import type { Stall, VirtualFunction } from './function.js';

const PACKET_BYTES = 512;

/** Vendor requests by which `usbtest` writes to a buffer, and reads it back. */
const WRITE = 0x5b;
const READ = 0x5c;

const BULK: readonly EndpointSpec[] = [
  { address: 0x81, kind: 'bulk', packetBytes: PACKET_BYTES },
  { address: 0x01, kind: 'bulk', packetBytes: PACKET_BYTES },
];
const ISOCHRONOUS: readonly EndpointSpec[] = [
  { address: 0x82, kind: 'isochronous', packetBytes: 1024, interval: 4 },
  { address: 0x02, kind: 'isochronous', packetBytes: 1024, interval: 4 },
];

/** Sends zeros or a pattern for ever, and checks what it gets against the same. */
export class SourceSink implements VirtualFunction {
  readonly speed = 'high';
  readonly strings = ['pvusb', 'source and sink', '0001'];
  readonly descriptors = describe({
    vendor: 0x0525,
    product: 0xa4a0,
    version: 0x0100,
    stringCount: 3,
    configuration: 3,
    settings: [
      { interface: 0, class: 0xff, subClass: 0, protocol: 0, endpoints: BULK },
      {
        interface: 0,
        setting: 1,
        class: 0xff,
        subClass: 0,
        protocol: 0,
        endpoints: [...BULK, ...ISOCHRONOUS],
      },
    ],
  });
  /** Bytes that it got. */
  received = 0;
  readonly #pattern: 'zeros' | 'mod63';
  #buffer: Uint8Array = new Uint8Array(0);

  /** @param pattern of `usbtest`: zeros, or each packet 0, 1, .. 62, 0, 1, .. */
  constructor(pattern: 'zeros' | 'mod63' = 'zeros') {
    this.#pattern = pattern;
  }

  start(): void {
    // Everything is always there.
  }

  control({ request, length }: Setup, data: Uint8Array): Uint8Array | Stall {
    if (request === WRITE) {
      this.#buffer = data;
      return new Uint8Array(0);
    }
    return request === READ ? this.#buffer.subarray(0, length) : 'stall';
  }

  send(_: number, room: number): Uint8Array {
    return this.#bytes(room);
  }

  sendPacket(_: number, room: number): Uint8Array {
    return this.#bytes(room);
  }

  receive(_: number, bytes: Uint8Array): 'taken' | Stall {
    const wanted = this.#bytes(bytes.length);
    if (Buffer.compare(wanted, bytes) !== 0) return 'stall';
    this.received += bytes.length;
    return 'taken';
  }

  reset(): void {
    this.#buffer = new Uint8Array(0);
  }

  #bytes(count: number): Uint8Array {
    if (this.#pattern === 'zeros') return new Uint8Array(count);
    return Uint8Array.from({ length: count }, (_, at) => (at % PACKET_BYTES) % 63);
  }
}
