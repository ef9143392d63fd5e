/** A watch as an async iterable of dirty paths: what changed, not how often or in which order. */
import type { XenstoreError } from './errors.js';

/** More distinct dirty paths than this are reported as one, the watched path. Limits what a busy writer makes us keep. */
const DIRTY_MAX = 1000;

/**
 * Dirty paths below one watched path. A watch fires once when it is set, so the first iteration of a loop comes at
 * once. One consumer at a time. `close()` (or leaving an `await using` block) ends it.
 */
export class Watch implements AsyncIterableIterator<readonly string[]>, AsyncDisposable {
  /** The watched path. */
  readonly path: string;
  readonly #end: () => Promise<void>;
  #dirty = new Set<string>();
  /** There were too many dirty paths: the watched one stands for all of them. */
  #collapsed = false;
  #failure: XenstoreError | undefined;
  #closed = false;
  #wake: (() => void) | undefined;

  /** Made by {@link XenstoreClient.watch}. */
  constructor(path: string, end: () => Promise<void>) {
    this.path = path;
    this.#end = end;
  }

  /** Marks a path dirty. Called by the client. */
  mark(path: string): void {
    if (!this.#collapsed) this.#dirty.add(path);
    if (this.#dirty.size > DIRTY_MAX) {
      this.#dirty = new Set([this.path]);
      this.#collapsed = true;
    }
    this.#wake?.();
  }

  /** Ends the iteration with an error. Called by the client when the connection is lost. */
  fail(error: XenstoreError): void {
    this.#failure = error.in('watch', this.path);
    this.#wake?.();
  }

  /**
   * Waits until something is dirty and returns all dirty paths, each once.
   *
   * @throws {XenstoreError} `connection-lost`
   * @throws the signal's reason when it aborts; the watch itself goes on
   */
  async next(
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<IteratorResult<readonly string[], undefined>> {
    for (;;) {
      if (this.#closed) return { done: true, value: undefined };
      if (this.#dirty.size > 0) {
        const paths = [...this.#dirty];
        this.#dirty.clear();
        this.#collapsed = false;
        return { done: false, value: paths };
      }
      if (this.#failure) throw this.#failure;
      options.signal?.throwIfAborted();
      await this.#woken(options.signal);
    }
  }

  #woken(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal?.removeEventListener('abort', wake);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Leaving a `for await` loop ends the watch. */
  async return(): Promise<IteratorResult<readonly string[], undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** Removes the watch from the daemon and ends the iteration. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake?.();
    await this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
