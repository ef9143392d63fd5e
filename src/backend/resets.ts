/** How often a guest may have its devices reset: each reset stops a device, and what shares its bus, for a while. */
import type { Clock } from '../async/index.js';

const AT_ONCE = 8;
const ONE_EACH_MS = 2000;

/** Counts resets; some at once are normal, a storm is not. */
export class Resets {
  readonly #clock: Clock;
  #left = AT_ONCE;
  #sinceMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.nowMs();
  }

  /** Takes one, if there is one left. */
  take(): boolean {
    const earned = Math.floor((this.#clock.nowMs() - this.#sinceMs) / ONE_EACH_MS);
    if (earned > 0) {
      this.#left = Math.min(AT_ONCE, this.#left + earned);
      this.#sinceMs += earned * ONE_EACH_MS;
    }
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }
}
