/** The drivers that mean that a device is lent. */
import type { DriverName } from '../../sysfs/index.js';

/** The kernel driver that serves type `pv`. */
export const USBBACK = 'usbback' as DriverName;

/** Whether an interface is on a host driver other than the one recorded for it. */
export function isOnAnother(driver: DriverName | undefined, recorded: DriverName | undefined): boolean {
  if (driver === undefined || recorded === undefined || driver === recorded) return false;
  return driver !== USBBACK && driver !== USBFS;
}

/** What an interface is bound to while a program, such as QEMU, holds it through libusb. */
export const USBFS = 'usbfs' as DriverName;
