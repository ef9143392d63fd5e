/** Looks things up in an Inventory, by the names that people use, or says why they do not exist. */
import { type Busid, parseBusid, parseDeviceName } from '../../sysfs/busid.js';
import type { UsbDevice } from '../../sysfs/device.js';
import { hasIdentity } from '../../sysfs/identity.js';
import { PvusbError } from './errors.js';
import type { Controller, Domain, Inventory, Port, QemuAnswer, SavedDrivers } from './inventory.js';
import type { ControllerId } from './layout.js';

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
  throw new PvusbError('no-such-controller', `Domain ${domid} has no USB controller ${devid}.`, {
    where: { domid, devid },
  });
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
export function noSuchPort({ domid, devid, portCount }: Controller, port: number, busid?: Busid): PvusbError {
  const sentence = `Controller ${devid} of domain ${domid} has ports 1 to ${portCount}, not ${port}.`;
  return new PvusbError('no-such-port', sentence, { where: { domid, devid, port, busid } });
}

/** The error for a port with nothing in it. */
export function emptyPort({ domid, devid }: ControllerId, port: number): PvusbError {
  const sentence = `Nothing is attached to port ${port} of controller ${devid} of domain ${domid}.`;
  return new PvusbError('port-empty', sentence, { where: { domid, devid, port } });
}

/** Every port of a controller that exists or holds something: its own, then the stray ones. */
export function allPorts({ ports, strayPorts }: Controller): Port[] {
  return [...ports, ...strayPorts];
}

/** True when a port holds something, whether it is a device or not. */
export function isTaken({ busid, untrustedJunk }: Port): boolean {
  return busid !== undefined || untrustedJunk !== undefined;
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

/** The plugged-in device with that sysfs name. */
export function deviceAt(inventory: Inventory, busid: Busid): UsbDevice | undefined {
  return inventory.devices.find((device) => device.busid === busid);
}

/**
 * The plugged-in device named by its busid (`3-1.5`), its address (`3.11`: bus and device number, decimal), its
 * ids (`46f4:0001`) or its ids and serial number (`46f4:0001:LAB0001`).
 *
 * @throws {PvusbError} `no-such-device`; `ambiguous-device`, naming the candidates; `invalid-argument`
 */
export function findDevice(inventory: Inventory, name: string): UsbDevice {
  const found = inventory.devices.filter(matcher(name));
  const device = found[0];
  if (!device) {
    const busid = parseBusid(name);
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

function matcher(name: string): (device: UsbDevice) => boolean {
  if (parseDeviceName(name) !== undefined) return (device) => device.busid === name;
  const address = /^(\d{1,3})\.(\d{1,3})$/.exec(name);
  if (address) return (device) => device.bus === Number(address[1]) && device.address === Number(address[2]);
  const ids = /^([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(.+))?$/s.exec(name);
  if (ids) {
    const [, vendorId, productId, serial] = ids;
    return (device) =>
      device.vendorId === vendorId!.toLowerCase() &&
      device.productId === productId!.toLowerCase() &&
      (serial === undefined || device.serial === serial);
  }
  throw new PvusbError(
    'invalid-argument',
    `${JSON.stringify(name)} is not the name of a USB device: give a busid (3-1.5), bus.address (3.11), vendor:product ` +
      '(46f4:0001) or vendor:product:serial.',
  );
}
