/** Where each operating system of a domain 0 keeps what PVUSB needs (libxl_osdeps.h: SYSFS_USB_DEV, SYSFS_USBBACK_DRIVER). */
import { PvusbError } from '../model/errors.js';

/** The paths of one operating system. */
export interface Platform {
  /** What has `bus/usb/devices` in it. */
  readonly sysfsRoot: string;
  /** Folders of sysfs that are kept elsewhere: by their name below its root. */
  readonly elsewhere: Readonly<Record<string, string>>;
  /** Where libxl keeps the configurations of its domains (XEN_LIB_DIR). */
  readonly userdataRoot: string;
  /** Where libxl puts the monitors of the QEMUs that it starts (XEN_RUN_DIR). */
  readonly qmpRoot: string;
}

const LINUX: Platform = {
  sysfsRoot: '/sys',
  elsewhere: {},
  userdataRoot: '/var/lib/xen',
  qmpRoot: '/var/run/xen',
};

/** By Node's name for the system. Systems that libxl has no paths for (FreeBSD: /dev/null) are missing. */
const PLATFORMS: ReadonlyMap<string, Platform> = new Map([
  ['linux', LINUX],
  ['netbsd', { ...LINUX, elsewhere: { 'bus/usb/drivers/usbback': '/kern/xen/usb' } }],
]);

/**
 * The paths of an operating system.
 *
 * @throws {PvusbError} `unsupported-platform`
 */
export function platformOf(name: string): Platform {
  const platform = PLATFORMS.get(name);
  if (platform) return platform;
  const known = [...PLATFORMS.keys()].join(' and ');
  throw new PvusbError('unsupported-platform', `PVUSB is not supported on ${name}: only ${known} have it.`);
}
