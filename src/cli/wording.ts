/** What things are called in the text that people read. */

import type { Busid, UsbDevice } from '../sysfs/index.js';
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
