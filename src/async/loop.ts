/** What goes on in the event loop of this process. */

class Loop {
  #needed = 0;

  /** Whether something is to happen in the loop that nobody may wait for by other means meanwhile. */
  get isNeeded(): boolean {
    return this.#needed > 0;
  }

  /** Does something in the next turn. */
  soon(work: () => void): void {
    this.#needed++;
    setImmediate(() => {
      this.#needed--;
      work();
    });
  }

  /** A promise that is kept in the loop: it is needed until then. */
  async through<T>(promise: Promise<T>): Promise<T> {
    this.#needed++;
    try {
      return await promise;
    } finally {
      this.#needed--;
    }
  }
}

/** The loop. Whoever waits for an event in another way than in it asks first whether it is needed. */
export const loop = new Loop();
