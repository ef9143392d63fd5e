/** How often a guest may cause something that costs the host: some at once are normal, a storm is not. */
import type { Clock } from '../async/index.js';

/** So many at once, and after them one in each pause. */
interface Rate {
  readonly atOnce: number;
  readonly pauseMs: number;
}

/** Each reset stops a device, and what shares its bus, for a while. */
export const RESETS: Rate = { atOnce: 8, pauseMs: 2_000 };

/** Lines in the log: counters tell the rest. */
export const LINES: Rate = { atOnce: 50, pauseMs: 10_000 };

/** Counts what a guest causes. */
export class Allowance {
  readonly #clock: Clock;
  readonly #rate: Rate;
  #left: number;
  #sinceMs: number;

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
    this.#left = rate.atOnce;
    this.#sinceMs = clock.nowMs();
  }

  /** Takes one, if there is one left. */
  take(): boolean {
    const { atOnce, pauseMs } = this.#rate;
    const earned = Math.floor((this.#clock.nowMs() - this.#sinceMs) / pauseMs);
    if (earned > 0) {
      this.#left = Math.min(atOnce, this.#left + earned);
      this.#sinceMs += earned * pauseMs;
    }
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }
}
