/** How much may be in flight: per guest and in all, since all users of usbfs share one limit on memory. */

/** The limits, in bytes of transfers. */
export interface Limits {
  readonly perGuest: number;
  readonly inAll: number;
}

/** usbfs gives 16 MiB to everybody (`usbfs_memory_mb`); some of it is for others. */
const DEFAULT_LIMITS: Limits = { perGuest: 8 << 20, inAll: 14 << 20 };

/** What a transfer costs besides its data: the kernel's own structures. */
const OVERHEAD = 4096;

interface Wait {
  readonly bytes: number;
  readonly go: () => void;
}

/** Shares what may be in flight among guests: in turns, one transfer of each. */
export class Budget {
  readonly #limits: Limits;
  readonly #used = new Map<number, number>();
  // Guests that wait, in the order of their turns.
  readonly #waiting = new Map<number, Wait[]>();
  #total = 0;

  constructor(limits: Limits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  /** Bytes in flight. */
  get total(): number {
    return this.#total;
  }

  /**
   * Takes room for a transfer. If there is none, `go` is called when there is, with the room taken.
   *
   * @returns whether there was room at once
   */
  take(domid: number, bytes: number, go: () => void): boolean {
    // Whoever waits goes first, also before a smaller one of the same guest.
    if (!this.#waiting.has(domid) && this.#fits(domid, bytes)) {
      this.#add(domid, bytes + OVERHEAD);
      return true;
    }
    const queue = this.#waiting.get(domid) ?? [];
    queue.push({ bytes, go });
    this.#waiting.set(domid, queue);
    return false;
  }

  /** Gives room back. */
  give(domid: number, bytes: number): void {
    this.#add(domid, -(bytes + OVERHEAD));
    while (this.#letOneGo());
  }

  #fits(domid: number, bytes: number): boolean {
    const used = this.#used.get(domid) ?? 0;
    const cost = bytes + OVERHEAD;
    // One transfer of a guest always goes, or a limit that is too small would stop it for good.
    return used === 0 || (used + cost <= this.#limits.perGuest && this.#total + cost <= this.#limits.inAll);
  }

  #add(domid: number, bytes: number): void {
    const used = (this.#used.get(domid) ?? 0) + bytes;
    if (used === 0) this.#used.delete(domid);
    else this.#used.set(domid, used);
    this.#total += bytes;
  }

  #letOneGo(): boolean {
    for (const [domid, queue] of this.#waiting) {
      const [first] = queue;
      if (!first || !this.#fits(domid, first.bytes)) continue;
      queue.shift();
      // To the end of the turns.
      this.#waiting.delete(domid);
      if (queue.length > 0) this.#waiting.set(domid, queue);
      this.#add(domid, first.bytes + OVERHEAD);
      first.go();
      return true;
    }
    return false;
  }
}
