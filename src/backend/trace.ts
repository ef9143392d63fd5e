/** A record of URBs as usbmon makes it, in a pcap file that Wireshark reads (link type 220). */
import { type DataRequest, TransferType } from '../usbif/index.js';

const PCAP_MAGIC = 0xa1b2_c3d4;
const LINK_TYPE_USB_LINUX_MMAPPED = 220;
const HEADER_BYTES = 64;
const RECORD_BYTES = 16;
const PACKET_BYTES = 16;
const SNAPSHOT_BYTES = 262_144;

/** `status` of a URB that has not ended. */
const IN_PROGRESS = -115;

/** Where a URB was seen. */
export interface Seen {
  readonly request: DataRequest;
  /** A number that its two events share, and no URB at the same time. */
  readonly tag: number;
  /** Shown as the bus: the domain, as far as 16 bits go. */
  readonly bus: number;
  readonly address: number;
  /** Microseconds since 1970. */
  readonly atUs: number;
  /** The bytes that may be transferred. */
  readonly length: number;
  /** The direction, which for a control transfer is that of its setup packet. */
  readonly input: boolean;
}

/** One packet of an isochronous URB: its place and bytes in the payload, and what became of it. */
export interface SeenPacket {
  readonly status: number;
  readonly offset: number;
  readonly length: number;
}

/** The head of a pcap file. */
export function pcapHeader(): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(PCAP_MAGIC, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(SNAPSHOT_BYTES, 16);
  head.writeUInt32LE(LINK_TYPE_USB_LINUX_MMAPPED, 20);
  return head;
}

/**
 * The record of a URB that begins (`S`) or ends (`C`).
 *
 * @param end its status and bytes, when it ends
 * @param data what is known of its payload; undefined when it is left out on purpose
 */
export function pcapRecord(
  seen: Seen,
  end: { readonly status: number; readonly actualLength: number; readonly errorCount: number } | undefined,
  data: Uint8Array | undefined,
  packets: readonly SeenPacket[] = [],
): Buffer {
  const { request } = seen;
  const isIsochronous = request.kind === 'isochronous';
  // An event carries data when they go its way: out when it begins, in when it ends.
  const carries = seen.input === (end !== undefined);
  const payload = carries && data ? data : new Uint8Array(0);
  const described = packets.length * PACKET_BYTES;
  const record = Buffer.alloc(RECORD_BYTES + HEADER_BYTES + described + payload.length);
  record.writeUInt32LE(Math.floor(seen.atUs / 1e6), 0);
  record.writeUInt32LE(seen.atUs % 1e6, 4);
  record.writeUInt32LE(record.length - RECORD_BYTES, 8);
  record.writeUInt32LE(record.length - RECORD_BYTES, 12);
  const head = record.subarray(RECORD_BYTES);
  head.writeBigUInt64LE(BigInt(seen.tag), 0);
  head[8] = end ? 0x43 : 0x53;
  head[9] = TransferType[request.kind];
  head[10] = request.endpoint | (seen.input ? 0x80 : 0);
  head[11] = seen.address;
  head.writeUInt16LE(seen.bus & 0xffff, 12);
  const hasSetup = request.kind === 'control' && !end;
  head[14] = hasSetup ? 0 : 0x2d;
  head[15] = payload.length > 0 ? 0 : seen.input ? 0x3c : 0x3e;
  head.writeBigInt64LE(BigInt(Math.floor(seen.atUs / 1e6)), 16);
  head.writeInt32LE(seen.atUs % 1e6, 24);
  head.writeInt32LE(end?.status ?? IN_PROGRESS, 28);
  head.writeUInt32LE(end ? end.actualLength : seen.length, 32);
  head.writeUInt32LE(described + payload.length, 36);
  if (hasSetup) head.set(request.setup, 40);
  else if (isIsochronous) {
    head.writeInt32LE(end?.errorCount ?? 0, 40);
    head.writeInt32LE(packets.length, 44);
  }
  head.writeUInt32LE(packets.length, 60);
  packets.forEach(({ status, offset, length }, at) => {
    const where = HEADER_BYTES + at * PACKET_BYTES;
    head.writeInt32LE(status, where);
    head.writeUInt32LE(offset, where + 4);
    head.writeUInt32LE(length, where + 8);
  });
  head.set(payload, HEADER_BYTES + described);
  return record;
}
