/** Isochronous packets: where a guest has them in its buffer, and back to back as usbfs wants them. */
import {
  type IsochronousRequest,
  PACKET_DESCRIPTOR_BYTES,
  PACKET_RESULT,
  type Packet,
  parsePackets,
} from '../usbif/index.js';
import type { Block, TransferPackets } from './boundary.js';
import type { CopyList } from './copy-list.js';

/** Where the descriptors are in a block: behind the data. */
function descriptorsAt(start: number, length: number): number {
  return Math.ceil((start + length) / PACKET_RESULT.bytes) * PACKET_RESULT.bytes;
}

/** Bytes of a block that an isochronous URB needs. */
export function isochronousBytes({ length, packetCount }: IsochronousRequest): number {
  return length + packetCount * PACKET_DESCRIPTOR_BYTES + PACKET_RESULT.bytes;
}

/** Lists the descriptors of the packets to be copied from the guest. */
export function listDescriptors(
  list: CopyList,
  request: IsochronousRequest,
  block: Block,
  start: number,
): void {
  const { descriptors, packetCount, length } = request;
  list.add(descriptors, 0, packetCount * PACKET_DESCRIPTOR_BYTES, block, descriptorsAt(start, length), false);
}

/** Reads the descriptors that were copied; undefined when they are not of this buffer. */
export function copiedPackets(
  request: IsochronousRequest,
  block: Block,
  start: number,
): Packet[] | undefined {
  const { packetCount, length } = request;
  const at = descriptorsAt(start, length);
  const bytes = block.bytes.slice(at, at + packetCount * PACKET_DESCRIPTOR_BYTES);
  return parsePackets(bytes, packetCount, length);
}

/** The packets for the device. Those that go to it are moved together: their order in the buffer is the same. */
export function pack(
  packets: readonly Packet[],
  block: Block,
  start: number,
  isOut: boolean,
): TransferPackets {
  const lengths = Int32Array.from(packets, ({ length }) => length);
  let at = start;
  if (isOut) {
    for (const { offset, length } of packets) {
      block.bytes.copyWithin(at, start + offset, start + offset + length);
      at += length;
    }
  }
  return {
    lengths,
    actualLengths: new Int32Array(packets.length),
    statuses: new Int32Array(packets.length),
  };
}

/** Lists what the packets have brought, and what became of each, to be copied to the guest; gives the bytes brought. */
export function listResults(
  list: CopyList,
  request: IsochronousRequest,
  packets: readonly Packet[],
  { lengths, actualLengths, statuses }: TransferPackets,
  block: Block,
  start: number,
  isInput: boolean,
): number {
  const results = descriptorsAt(start, request.length);
  const view = new DataView(block.bytes.buffer, block.bytes.byteOffset, block.bytes.byteLength);
  let [at, total] = [start, 0];
  packets.forEach(({ offset, length }, index) => {
    const actual = Math.max(0, Math.min(actualLengths[index]!, length));
    total += actual;
    if (isInput) list.add(request.data, offset, actual, block, at, true);
    at += lengths[index]!;
    const place = results + index * PACKET_RESULT.bytes;
    view.setUint32(place, actual, true);
    view.setInt32(place + 4, statuses[index]!, true);
    const from = index * PACKET_DESCRIPTOR_BYTES + PACKET_RESULT.offset;
    list.add(request.descriptors, from, PACKET_RESULT.bytes, block, place, true);
  });
  return total;
}
