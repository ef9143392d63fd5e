/** The backend's end of a shared ring. The page is the guest's too: indexes in it are read once and never trusted. Pure. */
import { RingOffset } from './layout.js';

const WORD = 4;

/** What a ring looks like. */
interface RingShape {
  readonly entryBytes: number;
  readonly entryCount: number;
}

/**
 * The backend's end of a ring (`ring.h`). Its own counters decide; what the page says is checked against them. A
 * response takes the place of a request, so a request is copied once, by {@link BackRing.take}.
 */
export class BackRing {
  readonly #words: Int32Array;
  readonly #entryWords: number;
  readonly #mask: number;
  readonly #count: number;
  #requestConsumer: number;
  #responseProducer: number;
  #responsePushed: number;

  /**
   * @param page the ring's page, at an address that 4 divides
   * @param responseProducer where responses continue; 0 for a new ring
   * @param open requests taken and not answered, when an earlier backend's ring is taken over
   */
  constructor(page: Uint8Array, shape: RingShape, responseProducer = 0, open = 0) {
    this.#words = new Int32Array(page.buffer, page.byteOffset, page.byteLength / WORD);
    this.#entryWords = shape.entryBytes / WORD;
    this.#count = shape.entryCount;
    this.#mask = shape.entryCount - 1;
    this.#responseProducer = responseProducer >>> 0;
    this.#responsePushed = this.#responseProducer;
    this.#requestConsumer = (this.#responseProducer + open) >>> 0;
  }

  /** The `rsp_prod` that a page shows: where a backend that takes over continues. */
  static responseProducerOf(page: Uint8Array): number {
    const words = new Int32Array(page.buffer, page.byteOffset, RingOffset.entries / WORD);
    return Atomics.load(words, RingOffset.responseProducer / WORD) >>> 0;
  }

  /** The index of the next response. */
  get responseProducer(): number {
    return this.#responseProducer;
  }

  /**
   * Requests that can be taken now; undefined when the guest's index is impossible: more requests than there is room
   * for (`RING_REQUEST_PROD_OVERFLOW`), which includes an index that went backwards.
   */
  waiting(): number | undefined {
    const producer = this.#load(RingOffset.requestProducer);
    if ((producer - this.#responseProducer) >>> 0 > this.#count) return undefined;
    const waiting = (producer - this.#requestConsumer) >>> 0;
    return waiting > this.#count ? undefined : waiting;
  }

  /**
   * Takes the next request: a private copy of its words. Only as many as {@link BackRing.waiting} says.
   *
   * @param copy where the words go; a new array unless given
   */
  take(copy: Uint32Array = new Uint32Array(this.#entryWords)): Uint32Array {
    const at = this.#slot(this.#requestConsumer);
    for (let word = 0; word < copy.length; word++) copy[word] = this.#words[at + word]!;
    this.#requestConsumer = (this.#requestConsumer + 1) >>> 0;
    return copy;
  }

  /** Asks for an event at the next request, and looks once more: true when one has come meanwhile. */
  rearm(): boolean {
    this.#store(RingOffset.requestEvent, this.#requestConsumer + 1);
    return this.#load(RingOffset.requestProducer) !== this.#requestConsumer;
  }

  /** Writes the words of a response. The guest sees it after {@link BackRing.push}. */
  respond(words: ArrayLike<number>): void {
    const at = this.#slot(this.#responseProducer);
    for (let word = 0; word < words.length; word++) this.#words[at + word] = words[word]!;
    this.#responseProducer = (this.#responseProducer + 1) >>> 0;
  }

  /** Shows the guest what was written; true when it asked to be notified of one of these responses. */
  push(): boolean {
    const before = this.#responsePushed;
    const after = this.#responseProducer;
    if (before === after) return false;
    this.#responsePushed = after;
    this.#store(RingOffset.responseProducer, after);
    const event = this.#load(RingOffset.responseEvent);
    return (after - event) >>> 0 < (after - before) >>> 0;
  }

  #slot(index: number): number {
    return RingOffset.entries / WORD + (index & this.#mask) * this.#entryWords;
  }

  // Sequentially consistent, which is the barrier that both sides of a ring need around its indexes.
  #load(offset: number): number {
    return Atomics.load(this.#words, offset / WORD) >>> 0;
  }

  #store(offset: number, value: number): void {
    Atomics.store(this.#words, offset / WORD, value | 0);
  }
}
