/** Simulated time: a clock that moves only when nothing else does, and promises that must settle. */
import type { Clock } from '../../src/async/index.js';

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** A clock that stands still until told to go to whatever is waited for next. */
export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #sleepers = new Set<Sleeper>();

  nowMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (ms <= 0) return resolve();
      const giveUp = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      const wake = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', giveUp);
        resolve();
      };
      const sleeper: Sleeper = { atMs: this.#nowMs + ms, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** Goes to the next moment that anything waits for; false when nothing waits. */
  advance(): boolean {
    let next: Sleeper | undefined;
    for (const sleeper of this.#sleepers) if (!next || sleeper.atMs < next.atMs) next = sleeper;
    if (!next) return false;
    this.#nowMs = next.atMs;
    next.wake();
    return true;
  }
}

/** How a promise ended. */
export type Ending<T> =
  | { readonly how: 'done'; readonly value: T }
  | { readonly how: 'failed'; readonly error: unknown }
  | { readonly how: 'hung' };

/** Turns of the event loop without activity before time moves on. */
const STILL_TURNS = 3;

/** Turns without activity, if nothing waits for time to pass either, before it counts as hung. */
const HUNG_TURNS = 60;

/**
 * Waits for a promise on a simulated host. Time moves on when nothing has happened for some turns; if nothing waits for
 * that either, the promise hangs. Nothing really waits.
 *
 * @param activity a number that grows with whatever happens
 * @param clocks whose time moves on; more than one for several programs on a host
 */
export async function ending<T>(
  run: Promise<T>,
  clock: ManualClock,
  activity: () => number,
  isOver: () => boolean = () => false,
): Promise<Ending<T>> {
  let end: Ending<T> | undefined;
  run.then(
    (value) => {
      end = { how: 'done', value };
    },
    (error: unknown) => {
      end = { how: 'failed', error };
    },
  );
  let still = 0;
  for (let seen = -1; end === undefined; ) {
    await new Promise((resolve) => setImmediate(resolve));
    if (end !== undefined) break;
    if (isOver()) return { how: 'hung' };
    const now = activity();
    still = now === seen ? still + 1 : 0;
    seen = now;
    if (still >= STILL_TURNS && clock.advance()) still = 0;
    if (still > HUNG_TURNS) return { how: 'hung' };
  }
  return end;
}
