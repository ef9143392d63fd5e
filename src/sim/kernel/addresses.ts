/** How the kernel numbers the devices of a bus (`hub.c: choose_devnum`): upwards, and from 1 again after 127. */

const LAST_ADDRESS = 127;

/** The addresses of one bus. */
export class Addresses {
  readonly #used = new Set<number>();
  #next = 1;

  /** Takes `wanted`, or the next free address. Throws when the bus is full: 127 devices are USB's limit. */
  take(wanted?: number): number {
    const forced = wanted !== undefined && !this.#used.has(wanted);
    const address = forced ? wanted : this.#free();
    this.#used.add(address);
    const next = (address % LAST_ADDRESS) + 1;
    this.#next = forced ? Math.max(this.#next, next) : next;
    return address;
  }

  /** Gives an address back; it is not used again before the others. */
  release(address: number): void {
    this.#used.delete(address);
  }

  #free(): number {
    for (let step = 0; step < LAST_ADDRESS; step++) {
      const address = ((this.#next - 1 + step) % LAST_ADDRESS) + 1;
      if (!this.#used.has(address)) return address;
    }
    throw new Error('the bus has no free address');
  }
}
