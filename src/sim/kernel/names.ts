/** The kernel's names for USB devices and interfaces, implemented a second time (not with the product's parser). */

/** The bus of a device: 3 for `3-1.5` and for `usb3`. */
export function busOf(busid: string): number {
  return Number(busid.startsWith('usb') ? busid.slice(3) : busid.slice(0, busid.indexOf('-')));
}

/** True for a root hub's name. */
export function isRootHub(busid: string): boolean {
  return busid.startsWith('usb');
}

/** The hub a device is plugged into: `3-1` for `3-1.5`, `usb3` for `3-1`; undefined for a root hub. */
export function parentOf(busid: string): string | undefined {
  if (isRootHub(busid)) return undefined;
  const dot = busid.lastIndexOf('.');
  return dot < 0 ? `usb${busOf(busid)}` : busid.slice(0, dot);
}

/** `devpath`: the chain of ports below the root hub, `1.5` for `3-1.5`; `0` for a root hub. */
export function portPathOf(busid: string): string {
  return isRootHub(busid) ? '0' : busid.slice(busid.indexOf('-') + 1);
}

/** True when `busid` is plugged into `hub`, at any depth. */
export function isBehind(busid: string, hub: string): boolean {
  if (isRootHub(hub)) return !isRootHub(busid) && busOf(busid) === busOf(hub);
  return busid.startsWith(`${hub}.`);
}

/** An interface's name: `3-1:1.0`; a root hub's is `3-0:1.0` (`message.c: usb_set_configuration`). */
export function interfaceName(busid: string, configuration: number, number: number): string {
  return `${isRootHub(busid) ? `${busOf(busid)}-0` : busid}:${configuration}.${number}`;
}

const DEVICE = /^(?:[1-9]\d{0,2}-[1-9]\d{0,2}(?:\.[1-9]\d{0,2}){0,6}|usb[1-9]\d{0,2})$/;

/** True for a name the kernel gives to a device or a root hub. */
export function isDeviceName(text: string): boolean {
  return DEVICE.test(text);
}
