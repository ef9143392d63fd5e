export { STANDARD_DRIVERS, takes, USBBACK, USBBACK_DRIVER, USBFS } from './drivers.js';
export { type KernelErrno, kernelError } from './errno.js';
export type { FaultTarget } from './faults.js';
export type { UsbCore } from './files.js';
export { busOf, interfaceName, isBehind, isDeviceName, isRootHub, parentOf, portPathOf } from './names.js';
export type * from './spec.js';
export { SimUsb, type SimUsbOptions } from './usb.js';
