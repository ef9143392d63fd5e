/**
 * Control requests of one device, one at a time and in order: endpoint 0 has no other way (USB 2.0, 8.5.3), and a guest
 * counts on it, whoever answers. Pure.
 */
import type { Urb } from './urb.js';

/** What a queue needs. */
interface QueueParts {
  /** Whether one may begin now. */
  mayBegin(): boolean;
  begin(urb: Urb): void;
}

/** The control requests of a device. Call {@link ControlQueue.next} whenever one may have ended. */
export class ControlQueue {
  readonly #parts: QueueParts;
  #current: Urb | undefined;
  #waiting: Urb[] = [];

  constructor(parts: QueueParts) {
    this.#parts = parts;
  }

  /** Puts a request behind the others. */
  add(urb: Urb): void {
    this.#waiting.push(urb);
    this.next();
  }

  /** The request that has begun is to begin once more, before all others. */
  again(urb: Urb): void {
    this.#current = undefined;
    this.#waiting.unshift(urb);
  }

  /** Begins what is next, unless a request is under way. */
  next(): void {
    while (this.#waiting.length > 0 && this.#parts.mayBegin()) {
      if (this.#current && this.#current.state !== 'ended') return;
      const urb = this.#waiting.shift()!;
      this.#current = urb;
      // One that was ended while it waited is over.
      if (urb.state === 'waiting') this.#parts.begin(urb);
    }
  }
}
