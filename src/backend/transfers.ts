/** The transfers of one controller: started as far as the budget goes, reaped, and their results dealt out. */
import type { Clock } from '../async/index.js';
import { UsbifStatus } from '../usbif/index.js';
import type { Blocks } from './blocks.js';
import type { GuestMemory, Transfer } from './boundary.js';
import type { Budget } from './budget.js';
import { Errno, statusOf } from './errno.js';
import { Exchange, type Job, type Result, resultOf, type Starter, type Wanted } from './exchange.js';
import type { Counters } from './metrics.js';
import { bySending, type Urb } from './urb.js';

/** Sees URBs as they begin and end. */
export interface Tracer {
  /**
   * @param bytes what goes to the device
   * @param transfer undefined when no device is needed for it
   */
  began(urb: Urb, bytes: Uint8Array | undefined, transfer: Transfer | undefined): void;
  /** Its bytes are those that came from the device; they are not valid for longer than the call. */
  ended(result: Result): void;
}

/** What transfers need. */
interface TransferParts {
  readonly domid: number;
  readonly memory: GuestMemory;
  readonly blocks: Blocks;
  readonly budget: Budget;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly tracer?: Tracer | undefined;
  /** There is work that nothing from outside will start. */
  readonly wake: () => void;
}

/** The pause before transfers that the kernel had no memory for are tried again, unless one ends before. */
const MEMORY_PAUSE_MS = 50;

/** Starts, reaps and ends transfers. */
export class Transfers {
  readonly #parts: TransferParts;
  readonly #exchange: Exchange;
  readonly #outcomes = {
    submitted: (job: Job): void => this.#submitted(job),
    failed: (wanted: Wanted, errno: number): boolean => this.#failed(wanted, errno),
  };
  #results: Result[] = [];
  // What the kernel had no memory for, and what came after it.
  #refused: Pick<Wanted, 'port' | 'urbs'>[] = [];
  #isRetryDue = false;

  constructor(parts: TransferParts) {
    this.#parts = parts;
    this.#exchange = new Exchange(parts.memory, parts.blocks, parts.counters, parts.tracer !== undefined);
  }

  /** Whether there is something to submit or to deliver. */
  get hasWork(): boolean {
    return this.#exchange.hasPrepared || this.#results.length > 0;
  }

  /** Starts URBs as one transfer, as soon as the guest's budget has room. */
  run(port: Starter, urbs: readonly Urb[]): void {
    // Behind those that wait for memory: they are of the same guest, and may be for the same endpoint.
    if (this.#refused.length > 0) this.#refused.push({ port, urbs });
    else this.#take(port, urbs);
  }

  #take(port: Starter, urbs: readonly Urb[]): void {
    const { budget, domid, wake } = this.#parts;
    let cost = 0;
    for (const { length } of urbs) cost += length;
    const go = (): void => {
      if (this.#refused.length === 0 && canStart(port, urbs)) this.#prepare({ port, urbs, cost });
      else {
        // Before others get the room.
        port.postponed(urbs, urbs.filter(isWaiting));
        budget.give(domid, cost);
      }
      wake();
    };
    if (budget.take(domid, cost, go)) this.#prepare({ port, urbs, cost });
  }

  #prepare(wanted: Wanted): void {
    for (const urb of wanted.urbs) urb.state = 'running';
    this.#exchange.prepare(wanted);
  }

  /** Ends a URB without a device; once is enough. */
  end(urb: Urb, status: UsbifStatus, bytes?: Uint8Array): void {
    if (urb.state === 'ended') return;
    urb.state = 'ended';
    this.#results.push(bytes ? this.#exchange.reply(urb, bytes) : resultOf(urb, status));
  }

  /** Gives what was prepared to its devices. */
  submit(): void {
    if (!this.#exchange.hasPrepared) return;
    this.#exchange.submit(this.#outcomes);
  }

  #submitted(job: Job): void {
    job.port.began(job);
    const { tracer } = this.#parts;
    if (tracer)
      for (const urb of job.urbs) tracer.began(urb, this.#exchange.outBytes(job, urb), job.transfer);
  }

  #failed(wanted: Wanted, errno: number): boolean {
    const { port, urbs, cost } = wanted;
    this.#parts.budget.give(this.#parts.domid, cost);
    if (errno === Errno.noMemory) {
      for (const urb of urbs) urb.state = 'waiting';
      this.#refused.push(wanted);
      this.#retryLater();
      return true;
    }
    for (const urb of urbs) this.end(urb, statusOf(errno));
    port.ended(urbs, [], true);
    return false;
  }

  /** Others use that memory too, and nothing tells when they have let go of it. */
  #retryLater(): void {
    if (this.#isRetryDue) return;
    this.#isRetryDue = true;
    void this.#parts.clock.sleep(MEMORY_PAUSE_MS).then(() => {
      this.#isRetryDue = false;
      this.#startRefused();
      this.#parts.wake();
    });
  }

  /** There may be memory now for transfers that were refused. */
  #startRefused(): void {
    if (this.#refused.length === 0) return;
    const refused = this.#refused.splice(0).sort((one, other) => bySending(one.urbs[0]!, other.urbs[0]!));
    for (const { port, urbs } of refused) {
      if (canStart(port, urbs)) this.#take(port, urbs);
      else port.postponed(urbs, urbs.filter(isWaiting));
    }
  }

  /** Takes back what a device has done. */
  reap(port: Starter): void {
    if (port.isBusy) return;
    for (let transfer = port.device.reap(); transfer; transfer = port.device.reap()) {
      const job = port.running.get(transfer);
      if (!job) continue;
      port.running.delete(transfer);
      const { results, again, isBroken } = this.#exchange.deal(job);
      for (const result of results) {
        result.urb.state = 'ended';
        this.#results.push(result);
      }
      this.#parts.budget.give(this.#parts.domid, job.cost);
      port.ended(job.urbs, again, isBroken);
      this.#startRefused();
    }
  }

  /** Whatever a device that is gone has not given back never comes. Its memory may still be written to: it is lost. */
  abandon(port: Starter): void {
    for (const job of port.running.values()) {
      this.#parts.budget.give(this.#parts.domid, job.cost);
      for (const urb of job.urbs) this.end(urb, UsbifStatus.shutdown);
    }
    port.running.clear();
  }

  /** Copies to the guest what has ended, and tells each result. */
  deliver(answer: (result: Result) => void): void {
    const results = this.#results;
    if (results.length === 0) return;
    this.#results = [];
    this.#exchange.deliver(results);
    const { tracer, counters } = this.#parts;
    for (const result of results) {
      const { urb, status, actualLength } = result;
      if (status !== UsbifStatus.ok) counters.failed++;
      if (urb.input) counters.bytesIn += actualLength;
      else counters.bytesOut += actualLength;
      tracer?.ended(result);
      answer(result);
    }
    this.#exchange.recycle();
  }
}

/** Whether URBs can still be the one transfer that they were put together for. */
function canStart(port: Starter, urbs: readonly Urb[]): boolean {
  return !port.isBusy && urbs.every(isWaiting);
}

function isWaiting({ state }: Urb): boolean {
  return state === 'waiting';
}
