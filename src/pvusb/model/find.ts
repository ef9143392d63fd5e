/** Looks things up in an Inventory, by the names that people use, or says why they do not exist. */
import { hasQubesName, parseQubesName } from '../../rules/imports/qubes.js';
import { type Busid, type DriverName, parseDeviceName } from '../../sysfs/busid.js';
import type { UsbDevice } from '../../sysfs/device.js';
import { addressIn, hasIdentity } from '../../sysfs/identity.js';
import { PvusbError } from './errors.js';
import type { Controller, Domain, Inventory, Port, QemuAnswer, SavedDrivers } from './inventory.js';
import type { ControllerId } from './layout.js';
import type { VirtualName } from './virtual.js';
import { capitalise, type Named, nameController, nameDomain, namePort } from './wording.js';

/** A domain by its number or its name; a string of digits is a number. */
export type DomainName = string | number;

/** A port of a controller, with what is in it. */
export interface Place {
  readonly controller: Controller;
  readonly port: Port;
}

/**
 * The domain named by its number (all digits) or its name.
 *
 * @throws {PvusbError} `no-such-domain`, `ambiguous-domain`, `invalid-argument` (domain 0)
 */
export function findDomain(inventory: Pick<Inventory, 'domains'>, name: string | number): Domain {
  const text = String(name);
  const isNumber = /^\d+$/.test(text);
  const found = inventory.domains.filter((domain) =>
    isNumber ? domain.domid === Number(text) : domain.name === text && domain.alive,
  );
  if (found.length > 1) {
    const domids = found.map(({ domid }) => domid).join(', ');
    throw new PvusbError('ambiguous-domain', `Domains ${domids} are all called ${JSON.stringify(text)}.`);
  }
  const domain = found[0];
  if (!domain) {
    throw new PvusbError('no-such-domain', `There is no domain ${isNumber ? text : JSON.stringify(text)}.`, {
      where: isNumber ? { domid: Number(text) } : {},
    });
  }
  return domain;
}

/**
 * The controller `devid` of a domain.
 *
 * @throws {PvusbError} `no-such-controller`
 */
export function findController(inventory: Inventory, domid: number, devid: number): Controller {
  const controller = findControllerOf(inventory, { domid, devid });
  if (controller) return controller;
  const sentence = `${nameDomain(inventory, domid, 'Domain')} has no USB controller ${devid}.`;
  throw new PvusbError('no-such-controller', sentence, { where: { domid, devid } });
}

/** The controller with that number; undefined when there is none. */
export function findControllerOf(
  inventory: Pick<Inventory, 'controllers'>,
  { domid, devid }: ControllerId,
): Controller | undefined {
  return inventory.controllers.find((controller) => controller.domid === domid && controller.devid === devid);
}

/** The controllers of a domain, by devid. */
export function controllersOf(inventory: Inventory, domid: number): Controller[] {
  return inventory.controllers.filter((controller) => controller.domid === domid);
}

/** The error for a port that a controller does not have. */
export function noSuchPort(named: Named, controller: Controller, port: number, busid?: Busid): PvusbError {
  const { domid, devid, portCount } = controller;
  const sentence = `${capitalise(nameController(named, controller))} has ports 1 to ${portCount}, not ${port}.`;
  return new PvusbError('no-such-port', sentence, { where: { domid, devid, port, busid } });
}

/** The error for a port with nothing in it. */
export function emptyPort(named: Named, { domid, devid }: ControllerId, port: number): PvusbError {
  const sentence = `Nothing is attached to ${namePort(named, { domid, devid, port })}.`;
  return new PvusbError('port-empty', sentence, { where: { domid, devid, port } });
}

/** Every port of a controller that exists or holds something: its own, then the stray ones. */
export function allPorts({ ports, strayPorts }: Controller): Port[] {
  return [...ports, ...strayPorts];
}

/** True when a port holds something, whether it is a device or not. */
export function isTaken({ busid, virtual, untrustedJunk }: Port): boolean {
  return busid !== undefined || virtual !== undefined || untrustedJunk !== undefined;
}

/** What is saved for a device; undefined when nothing is. */
export function savedFor(inventory: Inventory, busid: Busid): SavedDrivers | undefined {
  return inventory.savedDrivers.find((saved) => saved.busid === busid);
}

/** The domain with this number, alive or not; undefined when there is none. */
export function domainAt(inventory: Pick<Inventory, 'domains'>, domid: number): Domain | undefined {
  return inventory.domains.find((domain) => domain.domid === domid);
}

/** The domains that are alive and not the host's own. */
export function livingGuests({ domains }: Pick<Inventory, 'domains'>): Domain[] {
  return domains.filter(({ domid, alive }) => alive && domid !== 0);
}

/** True when there is more of the domain than a leftover record. */
export function isAlive(inventory: Inventory, domid: number): boolean {
  return domainAt(inventory, domid)?.alive ?? false;
}

/** What a domain's QEMU said; undefined when it was not asked. */
export function qemuOf(inventory: Inventory, domid: number): QemuAnswer | undefined {
  return inventory.qemus.find((answer) => answer.domid === domid);
}

/**
 * Every port of every controller that holds `busid`, stray ports too. More than one is a fault of the host. Ports that
 * a driver domain serves name its own devices: they do not count.
 */
export function placesOf(inventory: Pick<Inventory, 'controllers'>, busid: Busid): Place[] {
  return hostControllers(inventory).flatMap((controller) =>
    allPorts(controller)
      .filter((port) => port.busid === busid)
      .map((port) => ({ controller, port })),
  );
}

/** Every port that has a virtual device with one of these names. */
export function virtualPlaces(
  { controllers }: Pick<Inventory, 'controllers'>,
  isMeant: (name: VirtualName) => boolean,
): Place[] {
  return controllers.flatMap((controller) =>
    controller.ports
      .filter(({ virtual }) => virtual !== undefined && isMeant(virtual))
      .map((port) => ({ controller, port })),
  );
}

/** Who has a device. */
export interface Users {
  /** The ports of guests that name it. */
  readonly places: readonly Place[];
  /** The drivers of its interfaces, each once. */
  readonly drivers: readonly DriverName[];
}

/** Who has a device: guests, drivers, or nobody. */
export function usedBy(inventory: Pick<Inventory, 'controllers'>, device: UsbDevice): Users {
  const drivers = device.interfaces.flatMap(({ driver }) => driver ?? []);
  return { places: placesOf(inventory, device.busid), drivers: [...new Set(drivers)] };
}

/** The controllers whose ports hold devices of this host: those that domain 0 serves. */
export function hostControllers(inventory: Pick<Inventory, 'controllers'>): Controller[] {
  return inventory.controllers.filter(({ backendDomid }) => backendDomid === 0);
}

/**
 * Whether drivers were saved for this very device: by their identity, if it was kept. A record of a device that is
 * being given back from a port, while the device is in a port, is older than what xl has saved since, and proves
 * nothing.
 */
export function isOf(saved: SavedDrivers | undefined, device: UsbDevice, isAttached = false): boolean {
  if (saved?.identity === undefined || (isAttached && saved.origin !== undefined)) return true;
  return hasIdentity(device, saved.identity);
}

/** Whether a device is the very plug that the drivers were saved for: not replugged since, when the kernel chose anew. */
export function isSamePlug({ identity }: SavedDrivers, device: UsbDevice): boolean {
  if (identity === undefined || !hasIdentity(device, identity)) return false;
  return (addressIn(identity) ?? addressOf(device)) === addressOf(device);
}

/** A device's address as an identity has it, `3.11`. */
export function addressOf({ bus, address }: UsbDevice): string {
  return `${bus}.${address}`;
}

/** The plugged-in device with that sysfs name. */
export function deviceAt(inventory: Inventory, busid: Busid): UsbDevice | undefined {
  return inventory.devices.find((device) => device.busid === busid);
}

/**
 * The plugged-in device named by its busid (`3-1.5`), its address (`3.11`: bus and device number, decimal), its ids
 * (`46f4:0001`) or its ids and serial number (`46f4:0001:LAB0001`); or as other programs name it: `003:011`, `Bus 003
 * Device 011` or a whole line of lsusb, `/dev/bus/usb/003/011`, `/sys/bus/usb/devices/3-1.5`, and in Qubes OS
 * `046d:c52b::u030101` or `3-1.5:046d:c52b::u030101`.
 *
 * @throws {PvusbError} `no-such-device`; `ambiguous-device`, naming the candidates; `invalid-argument`
 */
export function findDevice(inventory: Pick<Inventory, 'devices'>, name: string): UsbDevice {
  const found = devicesNamed(inventory.devices, name);
  const device = found[0];
  if (!device) {
    const busid = busidNamed(name);
    throw new PvusbError('no-such-device', `No USB device ${JSON.stringify(name)} is plugged in.`, {
      where: busid === undefined ? {} : { busid },
    });
  }
  if (found.length > 1) {
    const candidates = found.map(({ busid, serial }) => `${busid}${serial ? ` (serial ${serial})` : ''}`);
    throw new PvusbError(
      'ambiguous-device',
      `${found.length} devices match ${JSON.stringify(name)}: ${candidates.join(', ')}.`,
    );
  }
  return device;
}

/** The busid in a name, which is a busid or a sysfs path; undefined for any other kind of name. */
export function busidNamed(name: string): Busid | undefined {
  return parseDeviceName(/^\/sys\/bus\/usb\/devices\/([^/]+)\/?$/.exec(name)?.[1] ?? name);
}

/** Bus and device number, decimal with any leading zeros: as we write it, as in `lsusb -s`, as in the device's file. */
const ADDRESS = /^(?:(\d{1,3})[.:](\d{1,3})|\/dev\/bus\/usb\/(\d{3})\/(\d{3}))$/;
/** A line of lsusb, or its beginning. */
const LSUSB = /^Bus (\d{1,3}) Device (\d{1,3})(?::(?: ID ([0-9a-f]{4}:[0-9a-f]{4})(?: .*)?)?)?$/is;
const IDS = /^([0-9a-f]{4}:[0-9a-f]{4})(?::(.+))?$/is;

function devicesNamed(devices: readonly UsbDevice[], name: string): UsbDevice[] {
  const busid = busidNamed(name);
  if (busid !== undefined) return devices.filter((device) => device.busid === busid);
  const at = (bus: number, address: number): UsbDevice[] =>
    devices.filter((device) => device.bus === bus && device.address === address);
  const address = ADDRESS.exec(name);
  if (address) return at(Number(address[1] ?? address[3]), Number(address[2] ?? address[4]));
  const lsusb = LSUSB.exec(name);
  if (lsusb) {
    const [, bus, number, ids] = lsusb;
    const meant = at(Number(bus), Number(number));
    if (ids !== undefined) return meant.filter((device) => idsOf(device) === ids.toLowerCase());
    // xl's usb-list prints the same words with hexadecimal numbers: if both exist it is not known which is meant.
    const ofXl = meant.length === 0 ? [] : at(Number(`0x${bus}`), Number(`0x${number}`));
    return [...new Set([...meant, ...ofXl])];
  }
  const [, ids, serial] = IDS.exec(name) ?? [];
  const ofQubes = parseQubesName(name);
  if (ids === undefined) {
    if (ofQubes) return devices.filter((device) => hasQubesName(device, ofQubes));
    throw new PvusbError(
      'invalid-argument',
      `${JSON.stringify(name)} is not the name of a USB device: give a busid (3-1.5), bus.address (3.11), vendor:product ` +
        '(46f4:0001) or vendor:product:serial.',
    );
  }
  // Some devices pad their serial number with blanks, which nobody sees.
  const isMeant = (device: UsbDevice): boolean =>
    serial === undefined || device.serial?.trim() === serial.trim();
  const meant = devices.filter((device) => idsOf(device) === ids.toLowerCase() && isMeant(device));
  // A serial number may have colons in it: only what is none is looked at as what Qubes OS adds to one.
  if (meant.length > 0 || !ofQubes) return meant;
  return devices.filter((device) => hasQubesName(device, ofQubes));
}

function idsOf({ vendorId, productId }: UsbDevice): string {
  return `${vendorId}:${productId}`;
}
