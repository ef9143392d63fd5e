/** Where everything is in xenstore (libxl's layout; `io/usbif.h`). Only path names; nothing is read. */
import { type Busid, type InterfaceId, parseBusid, parseInterfaceId } from '../../sysfs/busid.js';

/** Below it, per domain, the toolstack's own records: only domain 0 can write them. The trusted source. */
export const LIBXL = '/libxl';

/** Domains and what they may see about themselves. */
export const DOMAINS = '/local/domain';

/** The drivers that devices had before they went to usbback. */
export const SAVED_DRIVERS = `${LIBXL}/usbback`;

/** Backend directories by kind: `vusb` is served by the kernel's usbback, `qusb` by QEMU. */
export const BACKEND_KINDS = ['vusb', 'qusb'] as const;

/** One of {@link BACKEND_KINDS}. */
export type BackendKind = (typeof BACKEND_KINDS)[number];

/** Names one controller. */
export interface ControllerId {
  readonly domid: number;
  readonly devid: number;
}

/** `/libxl/D/device/vusb`: the controllers of a domain. */
export function controllersPath(domid: number): string {
  return `${LIBXL}/${domid}/device/vusb`;
}

/** `/libxl/D/device/vusb/N`: the toolstack's record of a controller. */
export function recordPath({ domid, devid }: ControllerId): string {
  return `${controllersPath(domid)}/${devid}`;
}

/** `/local/domain/D/device/vusb/N`: the frontend directory. The guest can write everything here. */
export function frontendPath({ domid, devid }: ControllerId): string {
  return `${DOMAINS}/${domid}/device/vusb/${devid}`;
}

/** `/local/domain/B/backend/KIND`: all backends of a kind. */
export function backendsPath(kind: BackendKind, backendDomid = 0): string {
  return `${DOMAINS}/${backendDomid}/backend/${kind}`;
}

/** `/local/domain/0/backend/KIND`: the disks that domain 0 serves to guests. */
export function diskBackendsPath(kind: 'vbd' | 'qdisk'): string {
  return `${DOMAINS}/0/backend/${kind}`;
}

/** `/local/domain/B/backend/KIND/D/N`: the backend directory. */
export function backendPath(controller: ControllerId, kind: BackendKind, backendDomid = 0): string {
  return `${backendsPath(kind, backendDomid)}/${controller.domid}/${controller.devid}`;
}

/** `.../port/P` of a backend directory, or for type devicemodel of the record. */
export function portPath(portsAt: string, port: number): string {
  return `${portsAt}/port/${port}`;
}

/** Where our own backend says that it is there: its process, and when that began. Domain 0 alone can write it. */
export const BACKEND_ANNOUNCEMENT = `${LIBXL}/pvusb/backend`;

/** What our own backend shows of a port that names a device. The numbers of xenbus states: a plan can wait for them. */
export const PortState = {
  /** The device is open; the guest has not configured it (yet). */
  opened: 2,
  /** The guest has configured it. */
  configured: 4,
  /** It cannot be opened, or has been pulled out. */
  failed: 6,
} as const;

/** What our own backend shows of a port. */
export type PortState = (typeof PortState)[keyof typeof PortState];

/** `.../port-state/P`, next to the ports that our own backend serves. */
export function portStatePath(portsAt: string, port: number): string {
  return `${portsAt}/port-state/${port}`;
}

/** `.../port-reason/P`: why a port is in the state `failed`. */
export function portReasonPath(portsAt: string, port: number): string {
  return `${portsAt}/port-reason/${port}`;
}

/**
 * `/libxl/D/device/vusb/N/virtual`: the virtual devices that our own backend has in a controller's ports, by port. Only
 * domain 0 can read or write it. The ports themselves are empty: libxl looks in sysfs for what a port names.
 */
export function virtualsPath(controller: ControllerId): string {
  return `${recordPath(controller)}/virtual`;
}

/** `/libxl/D/device/vusb/N/virtual/P`. */
export function virtualPath(controller: ControllerId, port: number): string {
  return `${virtualsPath(controller)}/${port}`;
}

/** Below it, per domain, what is announced about the QEMUs that serve them. */
export const DEVICE_MODELS = `${DOMAINS}/0/device-model`;

/** `/local/domain/0/device-model/D`. */
export function deviceModelPath(domid: number): string {
  return `${DEVICE_MODELS}/${domid}`;
}

/** `/local/domain/D/image/device-model-pid`: the QEMU that libxl ends when it ends the domain. */
export function deviceModelPidPath(domid: number): string {
  return `${DOMAINS}/${domid}/image/device-model-pid`;
}

/** `/libxl/D/pvusb`: what only pvusb keeps of a domain. */
export function ownNodesPath(domid: number): string {
  return `${LIBXL}/${domid}/pvusb`;
}

/** `/libxl/D/pvusb/qemu`: the QEMU that we have started, by pid and start; empty until it runs. libxl removes it with the domain. */
export function ownQemuPath(domid: number): string {
  return `${ownNodesPath(domid)}/qemu`;
}

/** Exists when that QEMU can serve controllers of type qusb. */
export function qusbOfferPath(domid: number): string {
  return `${deviceModelPath(domid)}/backends/qusb`;
}

/**
 * Checks that a recorded backend path has exactly the form required for this controller (XSA-178: anything else must
 * not be followed); undefined when it does not.
 */
export function parseBackend(
  path: string,
  controller: ControllerId,
): { readonly kind: BackendKind; readonly backendDomid: number } | undefined {
  const [, domid, name] = /^\/local\/domain\/(\d{1,5})\/backend\/([a-z]+)\/\d+\/\d+$/.exec(path) ?? [];
  const kind = BACKEND_KINDS.find((known) => known === name);
  if (kind === undefined) return undefined;
  const backendDomid = Number(domid);
  return path === backendPath(controller, kind, backendDomid) ? { kind, backendDomid } : undefined;
}

/** `/libxl/usbback/<busid>`, the busid encoded for xenstore. */
export function savedDevicePath(busid: Busid): string {
  return `${SAVED_DRIVERS}/${encodeName(busid)}`;
}

/** Libxl's key for the driver of an interface, a path in sysfs. */
export const DRIVER_PATH_KEY = 'driver_path';

/** Our own key for it, of which libxl knows nothing. */
export const DRIVER_KEY = 'driver';

/** A key for the driver of an interface. */
export type RecordKey = typeof DRIVER_PATH_KEY | typeof DRIVER_KEY;

/** `/libxl/usbback/<busid>/<interface>`: holds one {@link RecordKey}. */
export function savedInterfacePath(busid: Busid, intf: InterfaceId): string {
  return `${savedDevicePath(busid)}/${encodeName(intf)}`;
}

/** Our own key next to libxl's in `/libxl/usbback/<busid>`: which device the drivers were saved for. */
export const IDENTITY_KEY = 'device';

/** `/libxl/usbback/<busid>/device`. */
export function savedIdentityPath(busid: Busid): string {
  return `${savedDevicePath(busid)}/${IDENTITY_KEY}`;
}

/** Our own key there: the port node that a device is being given back from. Written when its detach frees the port. */
export const ORIGIN_KEY = 'port';

/** `/libxl/usbback/<busid>/port`. */
export function savedOriginPath(busid: Busid): string {
  return `${savedDevicePath(busid)}/${ORIGIN_KEY}`;
}

/** Our own key there: why a device was lent that the host needs. */
export const FORCED_KEY = 'forced';

/** `/libxl/usbback/<busid>/forced`. */
export function savedForcedPath(busid: Busid): string {
  return `${savedDevicePath(busid)}/${FORCED_KEY}`;
}

/** xenstore paths allow neither `.` nor `:`; libxl writes `3-1@2_1` for `3-1:2.1`. */
function encodeName(name: Busid | InterfaceId): string {
  return name.replaceAll('.', '_').replaceAll(':', '@');
}

/** Decodes a busid; undefined when the name is not one. */
export function decodeBusid(encoded: string): Busid | undefined {
  return parseBusid(encoded.replaceAll('_', '.'));
}

/** Decodes an interface; undefined when the name is not one. */
export function decodeInterface(encoded: string): InterfaceId | undefined {
  return parseInterfaceId(encoded.replaceAll('_', '.').replaceAll('@', ':'));
}

/** Where a driver is recorded to be. Always /sys, as libxl writes it, wherever sysfs is mounted. */
const DRIVER_FOLDER = '/sys/bus/usb/drivers/';

/** The value of `driver_path` for a driver. */
export function formatDriverPath(driver: string): string {
  return `${DRIVER_FOLDER}${driver}`;
}

/** The folder name in a `driver_path`; undefined unless it is a folder directly below `/sys/bus/usb/drivers`. */
export function driverFolder(untrustedDriverPath: string): string | undefined {
  if (!untrustedDriverPath.startsWith(DRIVER_FOLDER)) return undefined;
  const name = untrustedDriverPath.slice(DRIVER_FOLDER.length);
  return name.includes('/') ? undefined : name;
}

/** Where libxl keeps a second copy of domains' names, by uuid: `/vm/<uuid>/name`. */
export const NAMES = '/vm';

/** The uuid in a `/local/domain/D/vm`; undefined when it is not of the form `/vm/<uuid>`. */
export function parseVmPath(path: string | undefined): string | undefined {
  return /^\/vm\/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$/.exec(path ?? '')?.[1];
}

/** Parses a number as xenstore keys and names hold it: decimal digits, no sign, no leading zero. */
export function parseNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : undefined;
}

/** The names of a directory that are numbers, in order. */
export function sortedNumbers(names: readonly string[] | undefined): number[] {
  return parseNumbers(names).sort((a, b) => a - b);
}

/** The names of a directory that are numbers. */
export function parseNumbers(names: readonly string[] | undefined): number[] {
  return (names ?? []).map(parseNumber).filter((number) => number !== undefined);
}
