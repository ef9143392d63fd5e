/** Who has a device, and why it cannot be attached, in words. */
import {
  attachProblem,
  denialProblem,
  type Inventory,
  isPvusbError,
  neededUses,
  type PvusbError,
  type PvusbErrorCode,
  placesOf,
  usedBy,
} from '../pvusb/index.js';
import { printable, type UsbDevice } from '../sysfs/index.js';

/** A domain by its name, or by its number where it has none: `u1`, `domain 3`. */
function describeDomain(inventory: Inventory, domid: number): string {
  const untrustedName = inventory.domains.find((domain) => domain.domid === domid)?.name;
  return untrustedName ? printable(untrustedName) : `domain ${domid}`;
}

/** The guests that have a device; undefined if there are none. */
export function describeGuests(inventory: Inventory, device: UsbDevice): string | undefined {
  const domids = new Set(placesOf(inventory, device.busid).map(({ controller }) => controller.domid));
  return domids.size === 0
    ? undefined
    : [...domids].map((domid) => describeDomain(inventory, domid)).join(',');
}

/** Who has a device: guests by name, else the drivers of its interfaces, else nobody. */
export function describeHolder(inventory: Inventory, device: UsbDevice): string {
  const { drivers } = usedBy(inventory, device);
  return describeGuests(inventory, device) ?? (drivers.join(',') || '-');
}

/** Why a device cannot be attached, by the code of the error that an attach would end with. */
const REASONS: Partial<Readonly<Record<PvusbErrorCode, string>>> = {
  'is-root-hub': 'root hub',
  'is-hub': 'hub',
  'already-attached': 'in use',
  'half-attached': 'half attached',
  'not-authorized': 'unauthorized',
  'no-interfaces': 'no interfaces',
  'denied-by-rule': 'denied by a rule',
  'rules-invalid': 'rules are wrong',
};

/** Why a device cannot be attached, in a word or two that complete "no (...)"; undefined when it can. */
export function whyNotAttachable(inventory: Inventory, device: UsbDevice): string | undefined {
  const problem = attachProblem(inventory, device) ?? denialHere(inventory, device);
  const [need] = problem?.code === 'host-needs-it' ? neededUses(inventory, device.busid) : [];
  if (need) return printable(shortened(need.sentence));
  return problem && (REASONS[problem.code] ?? problem.code);
}

/** A rule that denies it to every guest, or a line that might. */
function denialHere(inventory: Inventory, device: UsbDevice): PvusbError | undefined {
  try {
    return denialProblem(inventory, device);
  } catch (error) {
    if (isPvusbError(error, 'rules-invalid')) return error;
    throw error;
  }
}

/** The row says which device it is: `sdb1 is mounted at /srv`. */
function shortened(sentence: string): string {
  return sentence.replace(/^it is /, '').replace(/ (on|over) it(?= )/, '');
}
