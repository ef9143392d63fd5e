/** The drivers that mean that a device is lent. */
import type { DriverName } from '../../sysfs/index.js';

/** The kernel driver that serves type `pv`. */
export const USBBACK = 'usbback' as DriverName;

/** What an interface is bound to while a program, such as QEMU, holds it through libusb. */
export const USBFS = 'usbfs' as DriverName;
