/** Reads USB devices from sysfs (`Documentation/ABI/testing/sysfs-bus-usb`). */
import {
  type Busid,
  busidOf,
  hubOf,
  type InterfaceId,
  interfaceNumber,
  parseDeviceName,
  parseDriverName,
  parseInterfaceId,
} from './busid.js';
import { readDetails } from './details.js';
import type { UsbDevice, UsbInterface, UsbKind } from './device.js';
import { isGone, SysfsError, toSysfsError } from './errors.js';
import type { SysfsFiles } from './files.js';
import { escapeText, parseDecimal } from './text.js';

/** Where the devices are, relative to sysfs's root. */
const DEVICES = 'bus/usb/devices';

/** USB class of hubs (`usb.h: USB_CLASS_HUB`). */
const HUB_CLASS = '09';

/** Which devices are read: these, or those for which it returns true. */
export type Wanted = readonly Busid[] | ((busid: Busid) => boolean);

/** Options of {@link scanDevices}. */
export interface ScanOptions {
  /** All unless given. */
  readonly wanted?: Wanted | undefined;
  /** Also reads what takes more files: the socket's other half, the descriptors. */
  readonly details?: boolean | undefined;
}

/**
 * All USB devices of the host, ordered by bus and address, or only those that are `wanted`. A device that is pulled out
 * while it is being read is left out.
 *
 * @throws {SysfsError} `no-sysfs`, or the errno of a failed read
 */
export async function scanDevices(
  files: SysfsFiles,
  { wanted = () => true, details = false }: ScanOptions = {},
): Promise<UsbDevice[]> {
  const isWanted = typeof wanted === 'function' ? wanted : (busid: Busid) => wanted.includes(busid);
  const names = await listDevices(files);
  const interfaces = groupByDevice(names.map(parseInterfaceId).filter(isPresent));
  const busids = names.map(parseDeviceName).filter(isPresent);
  const read = busids.filter(isWanted).map(async (busid) => {
    const device = await readDevice(files, busid, interfaces.get(busid) ?? []);
    if (!device || !details) return device;
    const hub = hubOf(busid);
    const hubInterface = hub && (interfaces.get(hub) ?? [])[0];
    return { ...device, ...(await readDetails(files, device, hubInterface)) };
  });
  const devices = (await Promise.all(read)).filter(isPresent);
  return devices.sort((a, b) => a.bus - b.bus || a.address - b.address);
}

function groupByDevice(interfaces: readonly InterfaceId[]): Map<Busid, InterfaceId[]> {
  const groups = new Map<Busid, InterfaceId[]>();
  for (const intf of interfaces) {
    const group = groups.get(busidOf(intf));
    if (group) group.push(intf);
    else groups.set(busidOf(intf), [intf]);
  }
  return groups;
}

async function listDevices(files: SysfsFiles): Promise<string[]> {
  try {
    return await files.list(DEVICES);
  } catch (error) {
    if (!isGone(error)) throw toSysfsError(error, 'read', DEVICES);
    throw new SysfsError('no-sysfs', 'read', DEVICES, 'there is no such folder', error);
  }
}

/** One device; undefined when it is gone or its attributes make no sense. */
async function readDevice(
  files: SysfsFiles,
  busid: Busid,
  interfaceIds: readonly InterfaceId[],
): Promise<UsbDevice | undefined> {
  const attribute = (name: string): Promise<string | undefined> =>
    readAttribute(files, `${DEVICES}/${busid}/${name}`);
  const [
    bus,
    address,
    vendorId,
    productId,
    deviceClass,
    speed,
    manufacturer,
    product,
    serial,
    authorized,
    configuration,
    ...interfaces
  ] = await Promise.all([
    attribute('busnum'),
    attribute('devnum'),
    attribute('idVendor'),
    attribute('idProduct'),
    attribute('bDeviceClass'),
    attribute('speed'),
    attribute('manufacturer'),
    attribute('product'),
    attribute('serial'),
    attribute('authorized'),
    attribute('bConfigurationValue'),
    ...interfaceIds.map((id) => readInterface(files, id)),
  ]);
  const ids = [
    parseDecimal(bus),
    parseDecimal(address),
    parseHex(vendorId, 4),
    parseHex(productId, 4),
  ] as const;
  if (ids[0] === undefined || ids[1] === undefined || ids[2] === undefined || ids[3] === undefined)
    return undefined;
  const code = parseHex(deviceClass, 2) ?? '00';
  const known = interfaces.filter(isPresent).sort((a, b) => a.number - b.number);
  return {
    busid,
    kind: kindOf(busid, code, known),
    bus: ids[0],
    address: ids[1],
    vendorId: ids[2],
    productId: ids[3],
    deviceClass: code,
    speedMbps: parseSpeed(speed),
    ...text('manufacturer', manufacturer),
    ...text('product', product),
    ...text('serial', serial),
    ...(isForbidden(authorized) ? { unauthorized: true } : {}),
    // Empty while it is not configured (`sysfs.c: bConfigurationValue_show`).
    ...(configuration?.trim() === '' ? { unconfigured: true } : {}),
    interfaces: known,
  };
}

async function readInterface(files: SysfsFiles, id: InterfaceId): Promise<UsbInterface | undefined> {
  const folder = `${DEVICES}/${id}`;
  const [code, subclass, protocol, authorized, driver] = await Promise.all([
    readAttribute(files, `${folder}/bInterfaceClass`),
    readAttribute(files, `${folder}/bInterfaceSubClass`),
    readAttribute(files, `${folder}/bInterfaceProtocol`),
    readAttribute(files, `${folder}/authorized`),
    readDriver(files, id),
  ]);
  if (code === undefined) return undefined;
  const classes = [code, subclass, protocol].map((part) => parseHex(part, 2) ?? '00').join('/');
  return {
    id,
    number: interfaceNumber(id),
    classes,
    ...(driver === undefined ? {} : { driver }),
    ...(isForbidden(authorized) ? { unauthorized: true } : {}),
  };
}

/** Kernels before 4.4 have no such file for interfaces, and those before 2.6.23 none for devices. */
function isForbidden(authorized: string | undefined): boolean {
  return authorized?.trim() === '0';
}

/** The driver an interface is bound to; undefined when none, or when the interface is gone. */
export async function readDriver(files: SysfsFiles, id: InterfaceId) {
  const link = `${DEVICES}/${id}/driver`;
  try {
    const target = await files.readLink(link);
    return parseDriverName(target.slice(target.lastIndexOf('/') + 1));
  } catch (error) {
    if (isGone(error)) return undefined;
    throw toSysfsError(error, 'read', link);
  }
}

/** Whether an interface is plugged in. */
export async function readPresence(files: SysfsFiles, id: InterfaceId): Promise<boolean> {
  return (await readAttribute(files, `${DEVICES}/${id}/bInterfaceClass`)) !== undefined;
}

async function readAttribute(files: SysfsFiles, path: string): Promise<string | undefined> {
  try {
    const value = await files.readText(path);
    return value.endsWith('\n') ? value.slice(0, -1) : value;
  } catch (error) {
    // EIO, EPROTO...: a device that does not answer string requests; its other attributes are still good.
    // An interface left out because of this would be left out of an attach: then half a device would be lent.
    if (isGone(error) || !/\/(busnum|devnum|bInterfaceClass)$/.test(path)) return undefined;
    throw toSysfsError(error, 'read', path);
  }
}

function kindOf(busid: Busid, deviceClass: string, interfaces: readonly UsbInterface[]): UsbKind {
  if (busid.startsWith('usb')) return 'root-hub';
  const isHub = interfaces.some(({ classes }) => classes.startsWith(`${HUB_CLASS}/`));
  return deviceClass === HUB_CLASS || isHub ? 'hub' : 'device';
}

function text(name: 'manufacturer' | 'product' | 'serial', untrustedText: string | undefined) {
  return untrustedText === undefined || untrustedText === '' ? {} : { [name]: escapeText(untrustedText) };
}

function parseHex(value: string | undefined, digits: number): string | undefined {
  const hex = value?.trim().toLowerCase() ?? '';
  return hex.length === digits && /^[0-9a-f]+$/.test(hex) ? hex : undefined;
}

function parseSpeed(value: string | undefined): number {
  const digits = value?.trim() ?? '';
  return /^\d{1,6}(\.\d)?$/.test(digits) ? Number(digits) : 0;
}

function isPresent<T>(value: T | undefined): value is T {
  return value !== undefined;
}
