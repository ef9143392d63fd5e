/** The host's USB devices, their interfaces and drivers. */
export type { Clock } from '../async/index.js';
export * from './busid.js';
export type * from './device.js';
export * from './errors.js';
export type * from './files.js';
export * from './identity.js';
export { nodeFiles } from './node-files.js';
export { openPlugs, type Plugs } from './plugs.js';
export type { ScanOptions, Wanted } from './scan.js';
export { type Binding, type InterfaceState, openSysfs, Sysfs, type SysfsOptions } from './sysfs.js';
export { escapeText, printable, printableJsonText, UNSAFE } from './text.js';
export { describeDevice, listedName, parseUsbIds, readUsbNames, type UsbNames } from './usbids.js';
