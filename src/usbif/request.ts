/** URB requests of a guest, checked on a private copy of their words. Pure. */
import {
  PACKET_DESCRIPTOR_BYTES,
  PACKETS_MAX,
  PipeBits,
  SEGMENTS_MAX,
  SHORT_NOT_OK,
  TransferType,
  UsbifStatus,
} from './layout.js';
import { Segments } from './segments.js';

/** What every transfer has. */
interface TransferRequest {
  /** The guest's number for it, to be given back with the answer. It can be anything. */
  readonly id: number;
  /** The port that the guest means, 1 to 31; of meaning only at address 0. */
  readonly port: number;
  /** The address that the guest gave to the device, 0 to 127. */
  readonly address: number;
  /** The number of the endpoint, 0 to 15, without its direction. */
  readonly endpoint: number;
  /** From the device to the guest. */
  readonly input: boolean;
  /** Less than {@link length} is an error. */
  readonly shortNotOk: boolean;
  /** The buffer. */
  readonly data: Segments;
  /** The bytes of the buffer. */
  readonly length: number;
}

/** A control transfer. */
interface ControlRequest extends TransferRequest {
  readonly kind: 'control';
  /** The 8 bytes of its setup packet. */
  readonly setup: Uint8Array;
}

/** A bulk or interrupt transfer. */
interface PlainRequest extends TransferRequest {
  readonly kind: 'bulk' | 'interrupt';
}

/** An isochronous transfer. */
export interface IsochronousRequest extends TransferRequest {
  readonly kind: 'isochronous';
  readonly packetCount: number;
  /** Where the guest keeps the descriptors of its packets. */
  readonly descriptors: Segments;
}

/** A wish that an earlier request ends. */
export interface UnlinkRequest {
  readonly kind: 'unlink';
  readonly id: number;
  /** The id of the request that is to end. */
  readonly unlinkId: number;
}

/** A request that is answered without being carried out. */
interface RefusedRequest {
  readonly kind: 'refused';
  readonly id: number;
  readonly status: UsbifStatus;
  /** For the log. */
  readonly reason: string;
}

/** A request for a device. */
export type DataRequest = ControlRequest | PlainRequest | IsochronousRequest;

/** What a guest can ask for. */
type UrbRequest = DataRequest | UnlinkRequest | RefusedRequest;

const KINDS = {
  [TransferType.isochronous]: 'isochronous',
  [TransferType.interrupt]: 'interrupt',
  [TransferType.control]: 'control',
  [TransferType.bulk]: 'bulk',
} as const;

/**
 * Reads a request. What is not of its kind is not looked at: the guest's driver leaves there what an older request had.
 *
 * @param untrusted the private copy of a request: 37 words
 * @param portCount the ports of the controller
 */
export function parseRequest(untrusted: Uint32Array, portCount: number): UrbRequest {
  const id = untrusted[0]! & 0xffff;
  const pipe = untrusted[1]!;
  if (pipe & PipeBits.unlink) return { kind: 'unlink', id, unlinkId: untrusted[3]! & 0xffff };

  const port = pipe & PipeBits.portMask;
  if (port === 0 || port > portCount) return refused(id, `port ${port} does not exist`);
  const dataCount = untrusted[0]! >>> 16;
  const kind = KINDS[(pipe >>> PipeBits.typeShift) as TransferType];
  const descriptorCount = kind === 'isochronous' ? untrusted[4]! >>> 16 : 0;
  if (dataCount + descriptorCount > SEGMENTS_MAX) {
    return refused(id, `${dataCount} + ${descriptorCount} segments are more than ${SEGMENTS_MAX}`);
  }
  const data = new Segments(untrusted, 0, dataCount);
  if (!data.areInPages) return refused(id, 'a segment is empty or crosses the end of its page');
  // The field has 16 bits: 64 KiB are 0 in it.
  const stated = untrusted[2]! >>> 16;
  if ((data.length & 0xffff) !== stated) {
    return refused(id, `the segments have ${data.length} bytes, the request states ${stated}`);
  }
  const transfer = {
    id,
    port,
    address: (pipe >>> PipeBits.addressShift) & PipeBits.addressMask,
    endpoint: (pipe >>> PipeBits.endpointShift) & PipeBits.endpointMask,
    input: (pipe & PipeBits.input) !== 0,
    shortNotOk: (untrusted[2]! & SHORT_NOT_OK) !== 0,
    data,
    length: data.length,
  };
  if (kind === 'control') return control(transfer, untrusted);
  if (kind === 'isochronous') return isochronous(transfer, untrusted, descriptorCount);
  return { kind, ...transfer };
}

function control(transfer: TransferRequest, untrusted: Uint32Array): ControlRequest | RefusedRequest {
  const setup = new Uint8Array(untrusted.buffer.slice(untrusted.byteOffset + 12, untrusted.byteOffset + 20));
  const wanted = setup[6]! | (setup[7]! << 8);
  if (wanted > transfer.length) {
    return refused(transfer.id, `wLength ${wanted} is more than the buffer's ${transfer.length} bytes`);
  }
  return { kind: 'control', ...transfer, setup };
}

function isochronous(
  transfer: TransferRequest,
  untrusted: Uint32Array,
  descriptorCount: number,
): IsochronousRequest | RefusedRequest {
  const packetCount = untrusted[4]! & 0xffff;
  if (packetCount === 0 || packetCount > PACKETS_MAX) {
    return refused(transfer.id, `${packetCount} isochronous packets are not 1 to ${PACKETS_MAX}`);
  }
  const descriptors = new Segments(untrusted, transfer.data.count, descriptorCount);
  if (!descriptors.areInPages) {
    return refused(transfer.id, 'a segment of packet descriptors is empty or crosses the end of its page');
  }
  if (descriptors.length < packetCount * PACKET_DESCRIPTOR_BYTES) {
    return refused(transfer.id, `${descriptors.length} bytes do not hold ${packetCount} packet descriptors`);
  }
  return { kind: 'isochronous', ...transfer, packetCount, descriptors };
}

function refused(id: number, reason: string): RefusedRequest {
  return { kind: 'refused', id, status: UsbifStatus.invalid, reason };
}
