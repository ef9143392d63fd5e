/** What things are called in the text that people read. */

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
import { type Busid, printable, type UsbDevice } from '../sysfs/index.js';
import { quoteWord } from './printable.js';
import { CONTROLLER_STATES, XENBUS_STATES } from './states.js';

/** USB classes by code (`usb.org`: defined class codes). */
const CLASSES: Readonly<Record<string, string>> = {
  '01': 'audio',
  '02': 'comm',
  '03': 'input',
  '05': 'physical',
  '06': 'image',
  '07': 'printer',
  '08': 'storage',
  '09': 'hub',
  '0a': 'cdc-data',
  '0b': 'smartcard',
  '0d': 'security',
  '0e': 'video',
  '0f': 'health',
  '10': 'av',
  '11': 'billboard',
  e0: 'wireless',
  ef: 'misc',
  fe: 'app',
  ff: 'vendor',
};

/** What a device is for: by its own class, or else by its interfaces', each once. */
export function describeClass(device: UsbDevice): string {
  const own = device.deviceClass;
  const codes =
    own === '00' || own === 'ef' ? device.interfaces.map(({ classes }) => classes.slice(0, 2)) : [own];
  return [...new Set(codes.map((code) => CLASSES[code] ?? code))].join(',') || '-';
}

/** A speed as people know it: `480M`, `5G`. */
export function describeSpeed(speedMbps: number): string {
  if (speedMbps === 0) return '?';
  return speedMbps >= 1000 ? `${speedMbps / 1000}G` : `${speedMbps}M`;
}

/** A domain by its name, or by its number where it has none: `u1`, `domain 3`. */
function describeDomain(inventory: Inventory, domid: number): string {
  const untrustedName = inventory.domains.find((domain) => domain.domid === domid)?.name;
  return untrustedName ? printable(untrustedName) : `domain ${domid}`;
}

/** Words that need no quotation marks. */
const PLAIN_WORD = /^[\w.:+-]+$/;

/** A name as it was typed, so that who typed it knows what is meant. */
export function asTyped(untrustedTyped: string | number): string {
  const word = String(untrustedTyped);
  return PLAIN_WORD.test(word) ? word : quoteWord(word);
}

/** A device by its busid, and by the name that was typed if that is another: `1-1 (46f4:0001)`. */
export function nameDevice(busid: Busid, untrustedTyped: string): string {
  return busid === untrustedTyped ? busid : `${busid} (${asTyped(untrustedTyped)})`;
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

/** The serial numbers that distinguish devices with the same ids. */
export function tellingSerials(devices: readonly UsbDevice[]): ReadonlyMap<Busid, string> {
  const alike = (one: UsbDevice, other: UsbDevice): boolean =>
    one !== other && one.vendorId === other.vendorId && one.productId === other.productId;
  return new Map(
    devices.flatMap((device) => {
      const { busid, serial } = device;
      const others = devices.filter((other) => alike(device, other));
      const tells = others.length > 0 && others.every((other) => other.serial !== serial);
      return serial !== undefined && tells ? [[busid, serial] as const] : [];
    }),
  );
}

/** A xenbus state in words. */
export function describeState(state: number | undefined): string {
  return state === undefined ? CONTROLLER_STATES.gone.word : (XENBUS_STATES[state]?.word ?? `state ${state}`);
}
