/** One at a time for each of several things. */

/** Queues, one for each key that is in use. */
export class KeyedMutex<K> {
  readonly #last = new Map<K, Promise<unknown>>();

  /**
   * Runs `body` when nothing else runs for any of these keys. `hadToWait` says whether something did. All keys are
   * taken at once, so that two cannot wait for each other. If `signal` aborts while it waits, it leaves the queues.
   */
  async run<T>(
    keys: readonly K[],
    body: (hadToWait: boolean) => Promise<T>,
    signal?: AbortSignal | undefined,
  ): Promise<T> {
    const before = keys.flatMap((key) => this.#last.get(key) ?? []);
    const turn = Promise.all(before).then(() => {
      signal?.throwIfAborted();
      return body(before.length > 0);
    });
    const over = turn.catch(() => undefined);
    for (const key of keys) this.#last.set(key, over);
    try {
      return await turn;
    } finally {
      for (const key of keys) if (this.#last.get(key) === over) this.#last.delete(key);
    }
  }
}
