/** The ring of URBs of one controller: requests taken from it, open URBs, and answers. */
import {
  type BackRing,
  type DataRequest,
  parseRequest,
  REQUEST_WORDS,
  type UnlinkRequest,
  URB_RING,
  UsbifStatus,
} from '../usbif/index.js';
import { Answers } from './answers.js';
import type { Result } from './exchange.js';
import type { Journal } from './journal.js';
import type { Counters } from './metrics.js';
import { openUrb, type Urb } from './urb.js';

/** Requests that are taken before others get their turn. */
const REQUESTS_PER_TURN = 64;

/** What requests lead to. */
export interface RequestHandler {
  /** A URB for a device. */
  begin(urb: Urb): void;
  /** One that is open is to end. */
  unlink(urb: Urb): void;
  /** The guest sends faster than others can wait: go on later. */
  later(): void;
  /** The guest's index is impossible. */
  broken(reason: string): void;
  log(message: string): void;
}

/** What the ring is made of. */
interface RequestParts {
  readonly ring: BackRing;
  readonly journal: Journal;
  readonly portCount: number;
  readonly counters: Counters;
  readonly handler: RequestHandler;
  /** The places in the journal that open requests of an earlier backend have. */
  readonly takenSlots?: readonly number[];
}

/** Requests and answers of one controller. */
export class Requests {
  readonly #parts: RequestParts;
  readonly #answers: Answers;
  /** By slot. */
  readonly #open: (Urb | undefined)[] = Array.from({ length: URB_RING.entryCount });
  readonly #freeSlots: number[];
  /** What each slot's request is read from, until it is answered. */
  readonly #copies: readonly Uint32Array[];
  #unlinked: { readonly slot: number; readonly id: number }[] = [];
  #isStarved = false;
  #begun = 0;

  constructor(parts: RequestParts) {
    const { ring, journal, takenSlots = [] } = parts;
    this.#parts = parts;
    this.#answers = new Answers(ring, journal);
    const slots = Array.from({ length: URB_RING.entryCount }, (_, slot) => slot);
    this.#copies = slots.map(() => new Uint32Array(REQUEST_WORDS));
    this.#freeSlots = slots.filter((slot) => !takenSlots.includes(slot));
  }

  /** URBs without an answer. */
  get open(): Urb[] {
    return this.#open.filter((urb) => urb !== undefined);
  }

  /** Takes what the guest has sent, and begins it. */
  take(): void {
    const { ring, handler } = this.#parts;
    for (let taken = 0; ; ) {
      const waiting = ring.waiting();
      if (waiting === undefined) {
        handler.broken('its ring of URBs has an impossible index');
        return;
      }
      if (waiting === 0) {
        // A guest can take back what it has sent.
        this.#isStarved = false;
        if (!ring.rearm()) return;
        continue;
      }
      if (taken >= REQUESTS_PER_TURN) {
        handler.later();
        return;
      }
      const count = Math.min(waiting, this.#freeSlots.length);
      // What is answered, but not shown, still has its place.
      this.#isStarved = count === 0;
      if (this.#isStarved) return;
      for (let each = 0; each < count; each++) this.#takeOne();
      taken += count;
    }
  }

  #takeOne(): void {
    const { ring, journal, portCount, counters, handler } = this.#parts;
    const slot = this.#freeSlots.pop()!;
    const request = parseRequest(ring.take(this.#copies[slot]), portCount);
    const { id } = request;
    journal.open(slot, id);
    counters.requests++;
    if (request.kind === 'refused') {
      handler.log(`request ${id} is refused: ${request.reason}`);
      this.#refuse(slot, id, request.status);
    } else if (request.kind === 'unlink') this.#unlink(slot, request);
    else this.#begin(slot, request);
  }

  #refuse(slot: number, id: number, status: UsbifStatus): void {
    this.#parts.counters.refused++;
    this.answer(slot, id, status);
  }

  #begin(slot: number, request: DataRequest): void {
    if (this.#withId(request.id)) {
      this.#refuse(slot, request.id, UsbifStatus.invalid);
      return;
    }
    const urb = openUrb(slot, this.#begun++, request);
    this.#open[slot] = urb;
    this.#parts.handler.begin(urb);
  }

  #unlink(slot: number, { id, unlinkId }: UnlinkRequest): void {
    this.#parts.counters.unlinks++;
    const urb = this.#withId(unlinkId);
    if (urb) {
      urb.unlinks.push({ slot, id });
      this.#parts.handler.unlink(urb);
    } else {
      // It has ended: its answer is on the way, or was never one of ours.
      this.#unlinked.push({ slot, id });
    }
  }

  #withId(id: number): Urb | undefined {
    for (let slot = 0; slot < this.#open.length; slot++) {
      const urb = this.#open[slot];
      if (urb?.request.id === id) return urb;
    }
    return undefined;
  }

  /** Answers a URB, and then whoever wanted it to end. */
  finish({ urb, status, actualLength, startFrame, errorCount }: Result): void {
    const { slot, request, unlinks } = urb;
    this.#open[slot] = undefined;
    this.#answers.add(slot, { id: request.id, status, actualLength, startFrame, errorCount });
    for (const unlink of unlinks) this.#unlinked.push(unlink);
  }

  /** Answers the wishes to end something that has ended. */
  finishUnlinks(): void {
    if (this.#unlinked.length === 0) return;
    for (const { slot, id } of this.#unlinked.splice(0)) this.answer(slot, id, UsbifStatus.ok);
  }

  /** Answers without data. */
  answer(slot: number, id: number, status: UsbifStatus): void {
    this.#answers.add(slot, { id, status, actualLength: 0, startFrame: 0, errorCount: 0 });
  }

  /**
   * Shows the guest all answers.
   *
   * @returns whether it wants to be told
   */
  show(): boolean {
    return this.#answers.show((slot) => this.#freeSlots.push(slot));
  }

  /** Whether there may be requests that found no place, and there is one now. */
  get isStarved(): boolean {
    return this.#isStarved && this.#freeSlots.length > 0;
  }
}
