/** Blocks for transfers, kept for the next ones. */
import type { Block, LocalMemory } from './boundary.js';

const KIB = 1024;

/** Room for a small URB, for one of 64 KiB, and for all that a guest can have in flight; with room for an offset. */
const SIZES = [16 * KIB, 80 * KIB, 1040 * KIB] as const;

/** A pool of blocks. All are kept: nothing unmaps one, and budgets bound how many are in flight at a time. */
export class Blocks {
  readonly #memory: LocalMemory;
  readonly #free: Block[][] = SIZES.map(() => []);

  constructor(memory: LocalMemory) {
    this.#memory = memory;
  }

  /** A block with room for so many bytes behind an offset within a page. What is in it is of earlier transfers. */
  take(bytes: number): Block {
    const size = SIZES.findIndex((each) => each >= bytes + 8 * KIB);
    if (size < 0) throw new RangeError(`no block has room for ${bytes} bytes`);
    return this.#free[size]!.pop() ?? this.#memory.allocate(SIZES[size]!);
  }

  /** A block is not needed any more, by the kernel neither. */
  give(block: Block): void {
    this.#free[(SIZES as readonly number[]).indexOf(block.bytes.length)]?.push(block);
  }
}

/** Memory for engines that make no system calls. */
export const plainMemory: LocalMemory = {
  allocate: (bytes) => ({ bytes: new Uint8Array(bytes), address: 0 }),
};
