/** Runs of bulk IN URBs of one endpoint that are one transfer for the device. */
import { bySending, type Urb } from './urb.js';

/** The most bytes of one transfer. */
const RUN_BYTES_MAX = 1 << 20;

/**
 * The URBs of a bulk IN endpoint that wait. A flagged URB (short is an error) promises that the guest stops after a
 * short one: those behind it must not start before it has ended, or they would take what belongs to the next transfer.
 * So a run of flagged ones, and the first unflagged one, which ends it, is given to the device as one transfer. URBs
 * without the flag end each by itself, and are given to it at once.
 */
export class BulkInQueue {
  readonly #packetBytes: number;
  #waiting: Urb[] = [];
  #isRunning = false;

  /** @param packetBytes of the endpoint: only whole packets can be followed by another URB's */
  constructor(packetBytes: number) {
    this.#packetBytes = Math.max(1, packetBytes);
  }

  /** Adds a URB at the end. */
  add(urb: Urb): void {
    this.#waiting.push(urb);
  }

  /** The URBs of the next transfer; undefined when there is none, or it has to wait. */
  next(): Urb[] | undefined {
    if (this.#isRunning || this.#waiting.length === 0) return undefined;
    this.#waiting = this.#waiting.filter(({ state }) => state === 'waiting');
    const [first] = this.#waiting;
    if (!first) return undefined;
    const run: Urb[] = [];
    let bytes = 0;
    for (const urb of this.#waiting) {
      bytes += urb.length;
      if (run.length > 0 && bytes > RUN_BYTES_MAX) break;
      run.push(urb);
      if (!urb.request.shortNotOk || urb.length % this.#packetBytes !== 0) break;
    }
    this.#waiting.splice(0, run.length);
    this.#isRunning = first.request.shortNotOk;
    return run;
  }

  /**
   * A transfer has ended.
   *
   * @param again URBs of it that have to be started once more, because another one of it was unlinked
   * @param isBroken it was short or failed, in a flagged URB, and its run goes on behind it
   * @returns the URBs of the run that wait, and have ended with it
   */
  ended(run: readonly Urb[], again: readonly Urb[], isBroken: boolean): Urb[] {
    if (run[0]?.request.shortNotOk) this.#isRunning = false;
    if (again.length > 0) this.#waiting = [...this.#waiting, ...again].sort(bySending);
    if (!isBroken || !run.at(-1)?.request.shortNotOk) return [];
    const last = this.#waiting.findIndex(({ request }) => !request.shortNotOk);
    return this.#waiting.splice(0, last < 0 ? this.#waiting.length : last + 1);
  }

  /** All that wait, which it forgets. */
  drain(): Urb[] {
    return this.#waiting.splice(0);
  }
}
