/** What is to be copied from or to a guest's pages, collected so that one call does all of it. */
import type { Segments } from '../usbif/index.js';
import type { Block } from './block.js';

/** Pieces of guest pages and of blocks. Arrays of numbers, not objects: this is made anew for every batch. */
export class CopyList {
  /** How many pieces there are. */
  count = 0;
  /** The grant reference of each. */
  readonly refs: number[] = [];
  /** Where each begins in its guest page. */
  readonly offsets: number[] = [];
  /** Its bytes; never across the end of the guest's page. */
  readonly lengths: number[] = [];
  /** Its block. */
  readonly blocks: Block[] = [];
  /** Where it begins in its block. */
  readonly places: number[] = [];
  /** Whether it goes to the guest. */
  readonly toGuest: boolean[] = [];
  /** What became of it: 0, or negative. */
  readonly statuses: number[] = [];

  /** Adds `length` bytes of a buffer from its byte `from` on; `place` is where they are in the block. */
  add(segments: Segments, from: number, length: number, block: Block, place: number, toGuest: boolean): void {
    segments.forRange(from, length, (ref, offset, piece, done) => {
      const at = this.count++;
      this.refs[at] = ref;
      this.offsets[at] = offset;
      this.lengths[at] = piece;
      this.blocks[at] = block;
      this.places[at] = place + done;
      this.toGuest[at] = toGuest;
      this.statuses[at] = 0;
    });
  }

  /** Whether one of the pieces `first` to `end` failed. */
  hasFailed(first: number, end: number): boolean {
    for (let at = first; at < end; at++) if (this.statuses[at] !== 0) return true;
    return false;
  }

  /** Empties it. What is behind the end stays until it is overwritten: blocks are used again anyway. */
  clear(): void {
    this.count = 0;
  }
}
