/** Answers to a guest: written to the ring and noted in the journal in the order that makes a kill harmless. */
import { type BackRing, responseWords, type UrbResponse } from '../usbif/index.js';
import type { Journal } from './journal.js';

/** Collects answers until they are shown together. */
export class Answers {
  readonly #ring: BackRing;
  readonly #journal: Journal;
  #slots: number[] = [];

  constructor(ring: BackRing, journal: Journal) {
    this.#ring = ring;
    this.#journal = journal;
  }

  /** Writes an answer. */
  add(slot: number, response: UrbResponse): void {
    this.#ring.respond(responseWords(response));
    this.#journal.answered(slot);
    this.#slots.push(slot);
  }

  /**
   * Shows the guest all that was written.
   *
   * @param free gets each slot that can be used again
   * @returns whether the guest wants to be told
   */
  show(free: (slot: number) => void): boolean {
    if (this.#slots.length === 0) return false;
    const slots = this.#slots;
    this.#slots = [];
    this.#journal.showing(this.#ring.responseProducer);
    const wanted = this.#ring.push();
    this.#journal.shown(this.#ring.responseProducer, slots);
    for (const slot of slots) free(slot);
    return wanted;
  }
}
