/** Traces of what goes through controllers, as usbmon would see it, into one file. */
import type { Result } from './exchange.js';
import { pcapHeader, pcapRecord, type Seen } from './trace.js';
import type { Tracer } from './transfers.js';
import type { Urb } from './urb.js';

/** Where a trace goes, and what it may say. */
export interface TraceParts {
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
    const begin = (urb: Urb, bytes: Uint8Array | undefined): number => {
      const tag = this.#nextTag++;
      this.#parts.write(pcapRecord(seen(urb, tag), undefined, this.#payload(urb, bytes)));
      return tag;
    };
    return {
      began: (urb, bytes) => tags.set(urb, begin(urb, bytes)),
      ended: (result) => {
        const { urb } = result;
        // What no device was needed for has not been seen before.
        const tag = tags.get(urb) ?? begin(urb, undefined);
        tags.delete(urb);
        this.#parts.write(pcapRecord(seen(urb, tag), result, this.#payload(urb, result.bytes)));
      },
    };
  }

  #payload({ isPrivate }: Urb, bytes: Uint8Array | undefined): Uint8Array | undefined {
    return isPrivate && !this.#parts.withSecrets ? undefined : bytes;
  }
}
