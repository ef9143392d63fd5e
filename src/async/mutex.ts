/** One at a time, in the order of asking. */

/** A queue of one: {@link run} waits until everything asked before has ended. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `body` alone and returns what it returns. A `signal` that aborts while waiting gives the place up. */
  run<T>(body: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = this.#last.then(() => {
      signal?.throwIfAborted();
      return body();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
