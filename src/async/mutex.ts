/** One at a time, first come, first served. */

/** A queue of one: {@link run} waits until everything asked before has ended. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `body` alone and returns what it returns. If `signal` aborts while it waits, it leaves the queue. */
  run<T>(body: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = this.#last.then(() => {
      signal?.throwIfAborted();
      return body();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
