/** A device as a guest sees it: what is too fast for usbif is shown as high speed. Pure. */
import {
  bosAtHighSpeed,
  configurationAtHighSpeed,
  type DeviceDescriptors,
  deviceAtHighSpeed,
  parseDescriptors,
} from '../usb/index.js';
import { UsbifSpeed } from '../usbif/index.js';
import type { LentDevice } from './boundary.js';

/** What a guest is shown of a device. */
export interface Shown {
  readonly speed: UsbifSpeed;
  readonly descriptors: DeviceDescriptors;
  /** Instead of the device's own. */
  readonly bos: Uint8Array | undefined;
  /** A number made of all of its descriptors. */
  readonly fingerprint: number;
}

const SPEEDS = {
  low: UsbifSpeed.low,
  full: UsbifSpeed.full,
  high: UsbifSpeed.high,
  super: UsbifSpeed.high,
} as const;

/** Works out what a guest is shown; undefined when the device has no descriptors that can be shown. */
export function showDevice({ speed, untrustedDescriptors, untrustedBos }: LentDevice): Shown | undefined {
  const own = parseDescriptors(untrustedDescriptors);
  if (!own) return undefined;
  const fingerprint = hash(untrustedDescriptors);
  if (speed !== 'super') return { speed: SPEEDS[speed], descriptors: own, bos: undefined, fingerprint };
  const edited = Buffer.concat([
    deviceAtHighSpeed(own.bytes),
    ...own.configurations.map(({ bytes }) => configurationAtHighSpeed(bytes)),
  ]);
  const descriptors = parseDescriptors(edited);
  if (!descriptors) return undefined;
  const bos = untrustedBos && bosAtHighSpeed(untrustedBos);
  return { speed: SPEEDS[speed], descriptors, bos, fingerprint };
}

/** FNV-1a. */
function hash(bytes: Uint8Array): number {
  let value = 0x811c_9dc5;
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x0100_0193);
  return value >>> 0;
}
