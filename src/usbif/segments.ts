/** The pieces of guest pages that a URB names: kept as the words of its request, so that none is an object. Pure. */
import { PAGE_SIZE, REQUEST_HEAD_WORDS } from './layout.js';

const WORDS = 2;

/** A run of segments in the private copy of a request. */
export class Segments {
  readonly #words: Uint32Array;
  readonly #first: number;
  /** How many there are. */
  readonly count: number;
  /** Their bytes. */
  readonly length: number;

  /** @param first index of the first one in the request */
  constructor(requestWords: Uint32Array, first: number, count: number) {
    this.#words = requestWords;
    this.#first = REQUEST_HEAD_WORDS + first * WORDS;
    this.count = count;
    let length = 0;
    for (let index = 0; index < count; index++) length += this.lengthOf(index);
    this.length = length;
  }

  /** The grant reference of a segment. */
  refOf(index: number): number {
    return this.#words[this.#first + index * WORDS]!;
  }

  /** Where a segment begins in its page. */
  offsetOf(index: number): number {
    return this.#words[this.#first + index * WORDS + 1]! & 0xffff;
  }

  /** The bytes of a segment. */
  lengthOf(index: number): number {
    return this.#words[this.#first + index * WORDS + 1]! >>> 16;
  }

  /** Whether each has bytes, and none crosses the end of its page. */
  get areInPages(): boolean {
    for (let index = 0; index < this.count; index++) {
      const length = this.lengthOf(index);
      if (length === 0 || this.offsetOf(index) + length > PAGE_SIZE) return false;
    }
    return true;
  }

  /**
   * Reports the pieces of guest pages that bytes `from` to `from + length` of the buffer are in, in order.
   *
   * @param piece gets the grant reference, the offset in that page, the bytes, and the bytes before it
   */
  forRange(
    from: number,
    length: number,
    piece: (ref: number, offset: number, length: number, done: number) => void,
  ): void {
    let skip = from;
    let done = 0;
    for (let index = 0; index < this.count && done < length; index++) {
      const size = this.lengthOf(index);
      if (skip >= size) {
        skip -= size;
        continue;
      }
      const part = Math.min(size - skip, length - done);
      piece(this.refOf(index), this.offsetOf(index) + skip, part, done);
      done += part;
      skip = 0;
    }
  }
}
