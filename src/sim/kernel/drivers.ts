/** Which driver takes which interface (the id tables of Linux's USB drivers, as far as the simulator needs them). */
import type { DeviceSpec, DriverSpec, InterfaceSpec } from './spec.js';

/** The name of the in-kernel PVUSB backend's driver. */
export const USBBACK = 'usbback';

/** usbback's driver: its id table takes anything, its probe decides. */
export const USBBACK_DRIVER: DriverSpec = { name: USBBACK, match: ['*'] };

/** The driver of interfaces that a program holds (QEMU, through libusb). */
export const USBFS = 'usbfs';

/** usbfs's driver: it takes nothing by itself. The USB core registers it before all others. */
export const USBFS_DRIVER: DriverSpec = { name: USBFS, match: [] };

/** The drivers of the recorded host, in the order they register (`match` as in their id tables). */
export const STANDARD_DRIVERS: readonly DriverSpec[] = [
  { name: 'hub', match: ['09'] },
  { name: 'uas', match: ['08/06/62'] },
  { name: 'usb-storage', match: ['08/06/50', '08/05', '08/04', '08/02'] },
  { name: 'usbhid', match: ['03'] },
  { name: 'ftdi_sio', match: ['0403:6001', '0403:6010', '0403:6011', '0403:6015'] },
  // It registers for audio control only: a streaming interface offered first finds no driver (ENODEV).
  { name: 'snd-usb-audio', match: ['01/01'], claim: 'siblings-on-bind', siblings: ['01'] },
  { name: 'cdc_ether', match: ['02/06'], claim: 'siblings-both', siblings: ['0a'] },
  { name: 'cdc_acm', match: ['02/02'], claim: 'siblings-both', siblings: ['0a'] },
  { name: 'uvcvideo', match: ['0e/01'], claim: 'siblings-on-bind', siblings: ['0e'] },
  { name: 'btusb', match: ['e0/01/01'], claim: 'siblings-both', siblings: ['e0/01/01'] },
];

/** A device that the hub driver takes: by its class, or by an interface's (`hub.c: hub_id_table`). */
export function isHub({ deviceClass, interfaces }: Pick<DeviceSpec, 'deviceClass' | 'interfaces'>): boolean {
  return deviceClass === '09' || interfaces.some(({ classes }) => classes.startsWith('09/'));
}

/** The pattern of one interface of one kind of device (`usb.h: USB_DEVICE_INTERFACE_NUMBER`). */
export function interfacePattern(device: Pick<DeviceSpec, 'vendorId' | 'productId'>, number: number): string {
  return `${device.vendorId}:${device.productId}/${number}`;
}

/** True when one of `patterns` takes the interface. */
export function takes(
  patterns: readonly string[],
  device: Pick<DeviceSpec, 'vendorId' | 'productId'>,
  intf: Pick<InterfaceSpec, 'classes' | 'number'>,
): boolean {
  const id = `${device.vendorId}:${device.productId}`;
  const all = ['*', id, interfacePattern(device, intf.number), intf.classes];
  return patterns.some((pattern) => all.includes(pattern) || intf.classes.startsWith(`${pattern}/`));
}

/** The other interfaces a driver takes along; undefined when it refuses, because `intf` is not the one it starts from. */
export function siblingsClaimed<T extends Pick<InterfaceSpec, 'classes' | 'number'>>(
  driver: DriverSpec,
  device: { readonly spec: DeviceSpec; readonly interfaces: readonly T[] },
  intf: T,
): T[] | undefined {
  if (driver.claim === undefined || driver.claim === 'single') return [];
  const first = device.interfaces.find((other) => takes(driver.match, device.spec, other));
  if (first !== intf) return undefined;
  const patterns = driver.siblings ?? ['*'];
  return device.interfaces.filter((other) => other !== intf && takes(patterns, device.spec, other));
}
