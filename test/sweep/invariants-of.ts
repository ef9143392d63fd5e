/** The invariants of a simulated host, less what libxl does not hold either. */
import type { SimHost, SimQemu } from '../../src/sim/index.js';
import { checkInvariants, type Drivers } from '../core/invariants.js';
import { emulatedBy } from './world-of.js';

/**
 * The violations of I1, I2, I3 and I6 and of trees, also of what QEMUs emulate. An interface that its driver lets go
 * together with its sibling has no record of its own (libxl finds it without driver): the sibling's is enough, since
 * the driver takes both back.
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
  return [...violations, ...emulated.flat()];
}

/** I3 for emulated controllers: a QEMU that lives has those of its domain that there are records of. */
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
