/** How things are called in what people read. */

import { attachProblem, type Inventory, type PvusbErrorCode, placesOf } from '../pvusb/index.js';
import { escapeText, type UsbDevice } from '../sysfs/index.js';

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
  const name = inventory.domains.find((domain) => domain.domid === domid)?.name;
  return name ? escapeText(name) : `domain ${domid}`;
}

/** Who has a device: guests by name, else the drivers of its interfaces, else nobody. */
export function describeHolder(inventory: Inventory, device: UsbDevice): string {
  const places = placesOf(inventory, device.busid);
  if (places.length > 0) {
    return [...new Set(places.map(({ controller }) => describeDomain(inventory, controller.domid)))].join(
      ',',
    );
  }
  const drivers = device.interfaces.flatMap(({ driver }) => driver ?? []);
  return [...new Set(drivers)].join(',') || '-';
}

/** Short reasons why a device cannot be attached, by the code of the error that an attach would end with. */
const REASONS: Partial<Readonly<Record<PvusbErrorCode, string>>> = {
  'is-root-hub': 'root hub',
  'is-hub': 'hub',
  'already-attached': 'lent',
  'half-attached': 'half',
  'not-authorized': 'unauthorized',
  'no-interfaces': 'no interfaces',
};

/** Whether a device can be attached, or why not: `yes`, `no: hub`, `no: in u1`. */
export function describeAssignable(inventory: Inventory, device: UsbDevice): string {
  const problem = attachProblem(inventory, device);
  return problem ? `no: ${REASONS[problem.code] ?? problem.code}` : 'yes';
}

const STATES = [
  'unknown',
  'initialising',
  'waiting for the guest',
  'initialised',
  'connected',
  'closing',
  'closed',
];

/** A xenbus state in words. */
export function describeState(state: number | undefined): string {
  return state === undefined ? 'gone' : (STATES[state] ?? `state ${state}`);
}
