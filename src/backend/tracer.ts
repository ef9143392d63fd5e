/** Traces of what goes through controllers, as usbmon would see it, into one file. */
import type { AlternateSetting } from '../usb/index.js';
import type { TransferPackets } from './boundary.js';
import { pcapHeader, pcapRecord, type Seen, type SeenPacket } from './trace.js';
import type { Tracer } from './transfers.js';
import type { Urb } from './urb.js';

/** Where a trace goes, and what it may say. */
interface TraceParts {
  /** Writes bytes, in order. */
  readonly write: (bytes: Uint8Array) => void;
  /** Microseconds since 1970. */
  readonly nowUs: () => number;
  /** Also what keyboards and smart cards say. */
  readonly withSecrets: boolean;
}

/** One trace of any number of controllers. */
export class Trace {
  readonly #parts: TraceParts;
  #nextTag = 1;

  constructor(parts: TraceParts) {
    this.#parts = parts;
    parts.write(pcapHeader());
  }

  /** What a controller of a domain reports to. */
  of(domid: number): Tracer {
    const tags = new Map<Urb, number>();
    const seen = (urb: Urb, tag: number): Seen => ({
      request: urb.request,
      tag,
      bus: domid,
      address: urb.address,
      atUs: this.#parts.nowUs(),
      input: urb.input,
      length: urb.length,
    });
    const begin = (urb: Urb, bytes?: Uint8Array, packets?: TransferPackets): number => {
      const tag = this.#nextTag++;
      const record = pcapRecord(seen(urb, tag), undefined, this.#payload(urb, bytes), seenPackets(packets));
      this.#parts.write(record);
      return tag;
    };
    return {
      began: (urb, bytes, transfer) => tags.set(urb, begin(urb, bytes, transfer?.packets)),
      ended: (result) => {
        const { urb } = result;
        // What no device was needed for has not been seen before.
        const tag = tags.get(urb) ?? begin(urb);
        tags.delete(urb);
        const packets = seenPackets(result.packets);
        this.#parts.write(pcapRecord(seen(urb, tag), result, this.#payload(urb, result.bytes), packets));
      },
    };
  }

  #payload({ isPrivate }: Urb, bytes: Uint8Array | undefined): Uint8Array | undefined {
    return isPrivate && !this.#parts.withSecrets ? undefined : bytes;
  }
}

/** Packets as a trace has them. Before the device has had them, nothing is known but their room. */
function seenPackets(packets: TransferPackets | undefined): SeenPacket[] {
  let offset = 0;
  return [...(packets?.lengths ?? [])].map((room, at) => {
    const seen = { status: packets!.statuses[at]!, offset, length: packets!.actualLengths[at] || room };
    offset += room;
    return seen;
  });
}

/** Classes whose payload is left out: what is typed, and what smart cards say. */
const PRIVATE_CLASSES = [0x03, 0x0b];

/** Whether what goes to and from an interface is left out of traces. */
export function isPrivate(intf: AlternateSetting): boolean {
  return PRIVATE_CLASSES.includes(intf.class);
}
