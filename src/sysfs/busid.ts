/** Names of USB devices and interfaces in sysfs. They become file and xenstore paths, hence the brands. */

declare const brand: unique symbol;

/** A device's name in sysfs: bus, then the chain of ports it is plugged into: `3-1`, `3-1.5`; a root hub is `usb3`. */
export type Busid = string & { readonly [brand]: 'Busid' };

/** An interface's name in sysfs: device, configuration and interface number: `3-1.5:1.0`; a root hub's is `3-0:1.0`. */
export type InterfaceId = string & { readonly [brand]: 'InterfaceId' };

/** A driver's name as a folder of `/sys/bus/usb/drivers`: `usb-storage`. */
export type DriverName = string & { readonly [brand]: 'DriverName' };

/** Longest name accepted; the kernel's own are far shorter. */
const NAME_MAX = 64;

// Buses and ports count from 1; port 0 stands for the root hub itself, in the names of its interfaces.
const DEVICE = /^[1-9]\d{0,2}-[1-9]\d{0,2}(\.[1-9]\d{0,2}){0,6}$/;
const ROOT_HUB = /^usb[1-9]\d{0,2}$/;
const INTERFACE = /^[1-9]\d{0,2}-(0|[1-9]\d{0,2}(\.[1-9]\d{0,2}){0,6}):\d{1,3}\.\d{1,3}$/;
const DRIVER = /^(?!\.{1,2}$)[A-Za-z0-9_.\- ]{1,64}$/;

/** Parses a device's sysfs name, not that of a root hub; undefined when it is not one. */
export function parseBusid(text: string): Busid | undefined {
  return text.length <= NAME_MAX && DEVICE.test(text) ? (text as Busid) : undefined;
}

/** Parses the sysfs name of a device or of a root hub. */
export function parseDeviceName(text: string): Busid | undefined {
  return parseBusid(text) ?? (ROOT_HUB.test(text) ? (text as Busid) : undefined);
}

/** Parses an interface's sysfs name; undefined when it is not one. */
export function parseInterfaceId(text: string): InterfaceId | undefined {
  return text.length <= NAME_MAX && INTERFACE.test(text) ? (text as InterfaceId) : undefined;
}

/** The device an interface belongs to: `3-1.5` for `3-1.5:1.0`, `usb3` for `3-0:1.0`. */
export function busidOf(intf: InterfaceId): Busid {
  const name = intf.slice(0, intf.indexOf(':'));
  return (name.endsWith('-0') ? `usb${name.slice(0, -2)}` : name) as Busid;
}

/** The configuration that an interface is of, `bConfigurationValue`: 1 for `3-1.5:1.0`. */
export function configurationOf(intf: InterfaceId): number {
  return Number.parseInt(intf.slice(intf.indexOf(':') + 1), 10);
}

/** The hub that a device is plugged into: `3-1` for `3-1.5`, `usb3` for `3-1`; undefined for a root hub. */
export function hubOf(busid: Busid): Busid | undefined {
  const dot = busid.lastIndexOf('.');
  if (dot !== -1) return busid.slice(0, dot) as Busid;
  const dash = busid.indexOf('-');
  return dash === -1 ? undefined : (`usb${busid.slice(0, dash)}` as Busid);
}

/** The number of the port that a device is plugged into: 5 for `3-1.5`; undefined for a root hub. */
export function portOf(busid: Busid): number | undefined {
  const port = /[-.](\d+)$/.exec(busid)?.[1];
  return port === undefined ? undefined : Number(port);
}

/** The name of the device in a hub's port, from the port's own name: `3-1.5` for `3-1-port5`, `3-1` for `usb3-port1`. */
export function busidAtPort(text: string): Busid | undefined {
  const [, hub, port] = /^(.+)-port(\d+)$/.exec(text) ?? [];
  if (hub === undefined) return undefined;
  return parseBusid(hub.startsWith('usb') ? `${hub.slice(3)}-${port}` : `${hub}.${port}`);
}

/** An interface's number: 1 for `3-1:1.1`. */
export function interfaceNumber(intf: InterfaceId): number {
  return Number(intf.slice(intf.lastIndexOf('.') + 1));
}

/** Parses a driver's name; undefined for anything that is not one plain folder name. */
export function parseDriverName(text: string): DriverName | undefined {
  return DRIVER.test(text) ? (text as DriverName) : undefined;
}
