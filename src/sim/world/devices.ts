/** What both formats of a world need: hubs in order, unique names, drivers for everything that is bound. */

import { interfacePattern, isHub, siblingsClaimed } from '../kernel/drivers.js';
import {
  busOf,
  type DeviceSpec,
  type DriverSpec,
  interfaceName,
  isRootHub,
  parentOf,
  STANDARD_DRIVERS,
  takes,
  USBBACK,
} from '../kernel/index.js';
import type { WorldFault } from './schema.js';
import type { WorldDomain, WorldSavedDrivers } from './world.js';

/** Adds the root hubs that are not named, checks that each hub exists, and sorts hubs before what is behind them. */
export function completeDevices(devices: readonly DeviceSpec[], fault: WorldFault): DeviceSpec[] {
  const byName = new Map<string, DeviceSpec>();
  for (const [index, device] of devices.entries()) {
    if (byName.has(device.busid)) throw fault(`devices[${index}].busid`, 'occurs twice');
    byName.set(device.busid, device);
    const numbers = device.interfaces.map(({ number }) => number);
    if (new Set(numbers).size < numbers.length) {
      throw fault(`devices[${index}].interfaces`, 'has the same interface number twice');
    }
  }
  for (const [index, { busid }] of devices.entries()) {
    const root = `usb${busOf(busid)}`;
    if (!byName.has(root)) byName.set(root, rootHub(root, devices));
    const parent = parentOf(busid);
    const hub = parent === undefined ? undefined : byName.get(parent);
    if (parent === undefined || (hub && isHub(hub))) continue;
    throw fault(`devices[${index}].busid`, `is behind ${parent}, which is not a hub of this world`);
  }
  const addressed = withAddresses([...byName.values()], fault);
  return addressed.sort((a, b) => depthOf(a.busid) - depthOf(b.busid) || a.address - b.address);
}

/** Gives an address to each device that has none: after the highest of its bus, in list order. */
function withAddresses(
  devices: readonly DeviceSpec[],
  fault: WorldFault,
): (DeviceSpec & { address: number })[] {
  const taken = new Map<number, Set<number>>();
  for (const { busid, address = isRootHub(busid) ? 1 : undefined } of devices) {
    const ofBus = taken.get(busOf(busid)) ?? new Set();
    taken.set(busOf(busid), ofBus);
    if (address === undefined) continue;
    if (ofBus.has(address))
      throw fault('devices', `have the address ${address} of bus ${busOf(busid)} twice`);
    ofBus.add(address);
  }
  return devices.map((device) => {
    const ofBus = taken.get(busOf(device.busid))!;
    const address = device.address ?? (isRootHub(device.busid) ? 1 : Math.max(1, ...ofBus) + 1);
    if (address > 127) throw fault('devices', `need addresses above 127 on bus ${busOf(device.busid)}`);
    ofBus.add(address);
    return { ...device, address };
  });
}

function depthOf(busid: string): number {
  return isRootHub(busid) ? 0 : busid.split('.').length;
}

function rootHub(busid: string, devices: readonly DeviceSpec[]): DeviceSpec {
  const speeds = devices
    .filter((device) => busOf(device.busid) === busOf(busid))
    .map(({ speedMbps }) => speedMbps);
  const superSpeed = Math.max(480, ...speeds) > 480;
  return {
    busid,
    vendorId: '1d6b',
    productId: superSpeed ? '0003' : '0002',
    deviceClass: '09',
    deviceProtocol: superSpeed ? '03' : '01',
    bcdDevice: '0601',
    speedMbps: superSpeed ? 5000 : 480,
    maxChild: 12,
    address: 1,
    manufacturer: 'Linux 6.1.0 xhci-hcd',
    product: 'xHCI Host Controller',
    serial: `0000:00:${busOf(busid).toString(16).padStart(2, '0')}.0`,
    interfaces: [{ number: 0, classes: '09/00/00' }],
  };
}

/**
 * The drivers of a world: `drivers`, and one for each driver of an interface, or saved driver, that would not take it,
 * so that what is bound can be bound again.
 */
export function completeDrivers(
  drivers: readonly DriverSpec[] | undefined,
  devices: readonly DeviceSpec[],
  saved: readonly WorldSavedDrivers[],
): DriverSpec[] {
  const byName = new Map((drivers ?? STANDARD_DRIVERS).map((driver) => [driver.name, driver]));
  const need = (name: string, device: DeviceSpec | undefined, number: number | undefined) => {
    if (name === USBBACK) return;
    const driver = byName.get(name) ?? { name, match: [] };
    byName.set(name, driver);
    const intf = device?.interfaces.find((other) => other.number === number);
    // usbfs is a program's doing (QEMU's libusb), never a driver's choice. A driver of several interfaces may have it
    // together with another.
    if (!device || !intf || name === 'usbfs' || takes(driver.match, device, intf)) return;
    if (
      device.interfaces.some((other) =>
        siblingsClaimed(driver, { spec: device, interfaces: device.interfaces }, other)?.includes(intf),
      )
    )
      return;
    byName.set(name, { ...driver, match: [...driver.match, interfacePattern(device, intf.number)] });
  };
  for (const device of devices)
    for (const { driver, number } of device.interfaces) if (driver) need(driver, device, number);
  for (const { busid, drivers: before } of saved) {
    const device = devices.find((other) => other.busid === busid);
    for (const { interface: intf, driver } of before)
      if (driver !== undefined) need(driver, device, Number(intf.slice(intf.lastIndexOf('.') + 1)));
  }
  byName.delete(USBBACK);
  return [...byName.values()];
}

/** The driver that would take an interface first, including the driver of its siblings. */
function naturalDriver(
  drivers: readonly DriverSpec[],
  device: DeviceSpec,
  number: number,
): string | undefined {
  const intf = device.interfaces.find((other) => other.number === number);
  if (!intf) return undefined;
  const own = drivers.find(({ match }) => takes(match, device, intf));
  if (own) return own.name;
  const claimer = drivers.find(
    ({ match, claim = 'single', siblings = ['*'] }) =>
      claim !== 'single' &&
      takes(siblings, device, intf) &&
      device.interfaces.some((other) => takes(match, device, other)),
  );
  return claimer?.name;
}

/** Saved drivers as libxl leaves them for a device whose interfaces all went to usbback. */
export function savedFor(drivers: readonly DriverSpec[], device: DeviceSpec): WorldSavedDrivers {
  const { busid, configuration } = device;
  return {
    busid,
    drivers: device.interfaces.flatMap(({ number }) => {
      const driver = naturalDriver(drivers, device, number);
      return driver === undefined
        ? []
        : [{ interface: interfaceName(busid, configuration ?? 1, number), driver }];
    }),
  };
}

/** Checks that no domid occurs twice. */
export function checkDomains(domains: readonly Pick<WorldDomain, 'domid'>[], fault: WorldFault): void {
  const seen = new Set<number>();
  for (const [index, { domid }] of domains.entries()) {
    if (seen.has(domid)) throw fault(`domains[${index}].domid`, 'occurs twice');
    seen.add(domid);
  }
}

/** Checks that no controller occurs twice and that each has its domain. */
export function checkControllers(
  controllers: readonly { readonly domid: number; readonly devid: number }[],
  domains: readonly { readonly domid: number }[],
  fault: WorldFault,
): void {
  const domids = new Set(domains.map(({ domid }) => domid));
  const seen = new Set<string>();
  for (const [index, { domid, devid }] of controllers.entries()) {
    if (!domids.has(domid)) throw fault(`controllers[${index}].domid`, 'is not a domain of this world');
    if (seen.has(`${domid}/${devid}`)) throw fault(`controllers[${index}].devid`, 'occurs twice');
    seen.add(`${domid}/${devid}`);
  }
}
