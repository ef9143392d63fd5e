/** Without any luck, one look in so many is made. */
const LOOK_EVERY = 64;

/** A look that finds something saves much more than one in vain costs: four of these are worth it. */
const CREDIT_OF_A_FIND = 4;
const CREDIT_MAX = 16;

/**
 * Whether to look for the end of a transfer right after it was started. An emulated controller ends small transfers
 * within the call that starts them; then the look saves waiting for the event. A real controller never does: it costs
 * a call in vain, once in a while.
 */
export class EarlyLook {
  #credit = 0;
  #untilNext = 1;

  /** Whether to look this time. */
  isDue(): boolean {
    if (this.#credit > 0) return true;
    this.#untilNext--;
    if (this.#untilNext > 0) return false;
    this.#untilNext = LOOK_EVERY;
    return true;
  }

  /** What a look has brought. */
  looked(hasFound: boolean): void {
    this.#credit = hasFound
      ? Math.min(this.#credit + CREDIT_OF_A_FIND, CREDIT_MAX)
      : Math.max(this.#credit - 1, 0);
  }
}
