/** The invariants of a simulated host, except what libxl does not keep either. */
import type { SimHost, SimQemu } from '../../src/sim/index.js';
import { checkSaved } from '../core/support/invariant-saved.js';
import { checkInvariants, type Drivers } from '../core/support/invariants.js';
import { SavedFiles } from './saved-files.js';
import { emulatedBy } from './world-of.js';

/**
 * The violations of I1, I2, I3, I6 and I8 and of trees, also for what QEMUs emulate. An interface that its driver
 * releases together with its sibling has no record of its own (libxl finds it without a driver): the sibling's is
 * enough, since the driver takes both back.
 */
export async function invariantsOf(sim: SimHost, natural?: Drivers): Promise<string[]> {
  const dump = sim.store.dump();
  const isBySibling = (line: string): boolean => {
    const [, busid, driver] = /^I6: ([^:]+):\S+ was on (\S+), and nothing says so$/.exec(line) ?? [];
    if (busid === undefined) return false;
    const records = `/libxl/usbback/${busid.replaceAll('.', '_')}/`;
    return dump
      .split('\n')
      .some((entry) => entry.startsWith(records) && entry.includes(`/drivers/${driver}"`));
  };
  const state = {
    dump,
    usb: sim.usb,
    qemus: sim.qemus.values(),
    ...(natural === undefined ? {} : { natural }),
  };
  const violations = checkInvariants(state).filter((line) => !isBySibling(line));
  const emulated = await Promise.all([...sim.qemus.values()].map((qemu) => checkEmulated(dump, qemu)));
  const saved = checkSaved({ dump, usb: sim.usb, saved: SavedFiles.of(sim).texts });
  return [...violations, ...emulated.flat(), ...saved];
}

/** I8 for a file that is not a configuration. */
export const NO_CONFIGURATION = /^I8: the file of domain \d+ is not a configuration$/;

/**
 * I8 at a moment when operations may be running: for the domains whose lock nobody has, since every change is made
 * while it is held, and for files that can be read.
 *
 * @param replugged devices whose address has changed, which no file has to mention before the doctor runs
 */
export function savedViolationsNow(sim: SimHost, replugged: ReadonlySet<string>): string[] {
  const { texts, locked } = SavedFiles.of(sim);
  const saved = new Map([...texts].filter(([domid]) => !locked.has(domid)));
  const violations = checkSaved({ dump: sim.store.dump(), usb: sim.usb, saved, replugged });
  return violations.filter((line) => !NO_CONFIGURATION.test(line));
}

/** I3 for emulated controllers: a living QEMU has those of its domain that have records. */
async function checkEmulated(dump: string, qemu: SimQemu): Promise<string[]> {
  if (!qemu.alive) return [];
  const { domid } = qemu;
  const emulated = await emulatedBy(qemu);
  const records = dump.matchAll(/^\/libxl\/(\d+)\/device\/vusb\/(\d+)\/type = "devicemodel"/gm);
  const recorded = [...records].flatMap(([, owner, devid]) => (Number(owner) === domid ? Number(devid) : []));
  return [
    ...recorded
      .filter((devid) => !emulated.includes(devid))
      .map((devid) => `I3: QEMU ${domid} does not emulate controller ${devid}`),
    ...emulated
      .filter((devid) => !recorded.includes(devid))
      .map((devid) => `I3: QEMU ${domid} emulates controller ${devid}, which has no record`),
  ];
}
