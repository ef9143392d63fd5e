/** A URB of a guest while it is open. */
import type { DataRequest } from '../usbif/index.js';

/** An unlink request that waits for the URB it is about: the URB is answered first. */
interface WaitingUnlink {
  readonly slot: number;
  readonly id: number;
}

/** A URB between its request and its answer. */
export interface Urb {
  /** Its place in the journal; ids are the guest's, and can be anything. */
  readonly slot: number;
  /** Higher than those of the URBs that were sent before it. */
  readonly order: number;
  readonly request: DataRequest;
  /** The direction: of a control transfer with data, that of its setup packet. */
  readonly input: boolean;
  /** The bytes that may be transferred. */
  readonly length: number;
  /** `waiting` for its turn, `running` in a device, `ended`: answered or about to be. */
  state: 'waiting' | 'running' | 'ended';
  /** The guest wants it to end. */
  isUnlinked: boolean;
  readonly unlinks: WaitingUnlink[];
  /** What it carries is nobody's business: left out of traces. */
  isPrivate: boolean;
  /** The port of the device that it is for; 0 when there is none. */
  port: number;
  /** The address that it was sent to, for traces. */
  readonly address: number;
}

/** Opens a URB. */
export function openUrb(slot: number, order: number, request: DataRequest): Urb {
  let { input, length } = request;
  if (request.kind === 'control') {
    length = request.setup[6]! | (request.setup[7]! << 8);
    // The guest's pipe may disagree with its setup packet, which the device obeys.
    if (length > 0) input = (request.setup[0]! & 0x80) !== 0;
  }
  const { address } = request;
  return {
    slot,
    order,
    request,
    input,
    length,
    state: 'waiting',
    isUnlinked: false,
    unlinks: [],
    isPrivate: false,
    port: 0,
    address,
  };
}

/** Compares URBs by when they were sent: what was put off goes back to its place. */
export function bySending(one: Urb, other: Urb): number {
  return one.order - other.order;
}
