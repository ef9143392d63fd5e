/** Answers to URBs, connection events, and the descriptors of isochronous packets, as words. Pure. */
import { PACKET_DESCRIPTOR_BYTES, type UsbifSpeed, type UsbifStatus } from './layout.js';

/** The answer to a URB. */
export interface UrbResponse {
  readonly id: number;
  readonly status: UsbifStatus;
  /** Bytes that were transferred. */
  readonly actualLength: number;
  /** The frame in which an isochronous URB began. */
  readonly startFrame: number;
  /** The packets of an isochronous URB that failed. */
  readonly errorCount: number;
}

/** The words of an answer. */
export function responseWords({ id, status, actualLength, startFrame, errorCount }: UrbResponse): number[] {
  return [(id & 0xffff) | (startFrame << 16), status, actualLength, errorCount];
}

/** The word of a connection event, which hands back the id of the request that it uses up. */
export function connectionWord(id: number, port: number, speed: UsbifSpeed): number {
  return (id & 0xffff) | (port << 16) | (speed << 24);
}

/** One isochronous packet, as the guest describes it. */
export interface Packet {
  /** Where it is in the buffer. */
  readonly offset: number;
  /** The most bytes of it. */
  readonly length: number;
}

/** What became of a packet: the half of its descriptor that the backend writes, at its byte 8. */
export const PACKET_RESULT = { offset: 8, bytes: 8 } as const;

/**
 * Reads the descriptors of packets, each of which must lie in the buffer, and none on another: bytes of two packets
 * that share a place would depend on their order.
 *
 * @param untrusted a private copy of the guest's descriptors
 * @returns undefined when one is not in the buffer
 */
export function parsePackets(
  untrusted: Uint8Array,
  count: number,
  bufferLength: number,
): Packet[] | undefined {
  const view = new DataView(untrusted.buffer, untrusted.byteOffset, untrusted.byteLength);
  if (untrusted.byteLength < count * PACKET_DESCRIPTOR_BYTES) return undefined;
  const packets: Packet[] = [];
  let end = 0;
  for (let index = 0; index < count; index++) {
    const at = index * PACKET_DESCRIPTOR_BYTES;
    const [offset, length] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    if (offset < end || offset + length > bufferLength) return undefined;
    end = offset + length;
    packets.push({ offset, length });
  }
  return packets;
}
