/** Failures that a test asks the simulated kernel for. */
import type { KernelErrno } from './errno.js';

/** What a fault is for: an interface (`3-2:1.0`) or a driver (`usbhid`) by name, or one interface with one driver. */
export type FaultTarget = string | { readonly interface: string; readonly driver: string };

interface Fault {
  readonly target: FaultTarget;
  readonly errno: KernelErrno;
  left: number;
}

/** A list of faults; each fires a given number of times. */
export class Faults {
  readonly #faults: Fault[] = [];

  /** Adds a fault; it fires `times` times (always, when absent). */
  add(target: FaultTarget, errno: KernelErrno, times = Number.POSITIVE_INFINITY): void {
    this.#faults.push({ target, errno, left: times });
  }

  /** Takes the fault for this interface and driver, counting it; undefined when there is none. */
  take(intf: string, driver: string): KernelErrno | undefined {
    const fault = this.#faults.find(({ target, left }) => left > 0 && applies(target, intf, driver));
    if (!fault) return undefined;
    fault.left--;
    return fault.errno;
  }

  /** Forgets all faults. */
  clear(): void {
    this.#faults.length = 0;
  }
}

function applies(target: FaultTarget, intf: string, driver: string): boolean {
  if (typeof target === 'string') return target === intf || target === driver;
  return target.interface === intf && target.driver === driver;
}
