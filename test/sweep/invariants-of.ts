/** The invariants of a simulated host, less what libxl does not hold either. */
import type { SimHost } from '../../src/sim/index.js';
import { checkInvariants, type Drivers } from '../core/invariants.js';

/**
 * The violations of I1, I2, I3 and I6 and of trees. An interface that its driver lets go together with its sibling
 * has no record of its own (libxl finds it without driver): the sibling's is enough, since the driver takes both back.
 */
export function invariantsOf(sim: SimHost, natural?: Drivers): string[] {
  const dump = sim.store.dump();
  const isBySibling = (line: string): boolean => {
    const [, busid, driver] = /^I6: ([^:]+):\S+ was on (\S+), and nothing says so$/.exec(line) ?? [];
    if (busid === undefined) return false;
    const records = `/libxl/usbback/${busid.replaceAll('.', '_')}/`;
    return dump
      .split('\n')
      .some((entry) => entry.startsWith(records) && entry.includes(`/drivers/${driver}"`));
  };
  const state = { dump, usb: sim.usb, ...(natural === undefined ? {} : { natural }) };
  return checkInvariants(state).filter((line) => !isBySibling(line));
}
