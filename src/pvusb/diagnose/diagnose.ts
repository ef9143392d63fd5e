/** Finds half-done work and what is left over, in an Inventory. Pure; {@link planRepair} says how each is mended. */
import type { Busid, UsbDevice } from '../../sysfs/index.js';
import { USBBACK, USBFS } from '../model/drivers.js';
import { allPorts, deviceAt, isAlive, isOf, type Place, placesOf, qemuOf, savedFor } from '../model/find.js';
import type {
  Controller,
  Inventory,
  OrphanBackend,
  QemuAnswer,
  QemuDevice,
  SavedDrivers,
  SavedSettings,
} from '../model/inventory.js';
import { XenbusState } from '../model/inventory.js';
import { isOpenInQemu, portState } from '../types/port-state.js';
import { isOfQemu } from '../types/service.js';
import { type ConfigDifference, configDifference } from './saved-config.js';

/** Something that is not as any finished operation leaves it. */
export type Finding =
  /** A port names a device that has been pulled out. */
  | { readonly finding: 'missing-device'; readonly place: Place; readonly busid: Busid }
  /** A port names a device whose interfaces are not (all) on usbback, or that QEMU does not have. */
  | { readonly finding: 'port-without-binding'; readonly place: Place; readonly busid: Busid }
  /** A port names one device, another one sits in that socket. */
  | { readonly finding: 'other-device'; readonly place: Place; readonly busid: Busid }
  /** A device stands in this port and in another one, which keeps it: where a QEMU has it open, else the first. */
  | { readonly finding: 'claimed-twice'; readonly place: Place; readonly busid: Busid }
  /** A port node holds something that is no device, or does not belong to the controller. */
  | { readonly finding: 'bad-port'; readonly place: Place }
  /** A device's interfaces are on usbback, but it is in no port. */
  | { readonly finding: 'binding-without-port'; readonly busid: Busid }
  /** Drivers are saved for a device that is in no port and not on usbback. */
  | { readonly finding: 'stale-saved-driver'; readonly busid: Busid }
  /** A backend directory without a toolstack's record. */
  | { readonly finding: 'orphan-backend'; readonly orphan: OrphanBackend }
  /** A controller of a domain that is gone. */
  | { readonly finding: 'dead-domain'; readonly controller: Controller }
  /** A controller whose removal has begun. */
  | { readonly finding: 'half-removed'; readonly controller: Controller }
  /** Controllers of living guests are not served, since usbback is not loaded. */
  | { readonly finding: 'no-usbback'; readonly count: number }
  /** A controller that usbback or QEMU never took. */
  | { readonly finding: 'unserved-controller'; readonly controller: Controller }
  /** A record of an emulated controller that QEMU does not have. */
  | { readonly finding: 'not-emulated'; readonly controller: Controller }
  /** A device was plugged in anew while it was lent: QEMU has it, and the guest has not noticed. */
  | { readonly finding: 'unnoticed-device'; readonly place: Place; readonly busid: Busid }
  /** The saved configuration says something else than the domain has: libxl would make another domain of it. */
  | { readonly finding: 'config-differs'; readonly difference: ConfigDifference }
  /** The saved configuration cannot be read. */
  | { readonly finding: 'config-unreadable'; readonly domid: number; readonly problem: string }
  /** A QEMU has died with devices given to it. */
  | { readonly finding: 'dead-qemu'; readonly domid: number; readonly places: readonly Place[] }
  /** QEMU has a device in a port that is free, or a controller that no record names. */
  | {
      readonly finding: 'unrecorded-device';
      readonly domid: number;
      readonly devid: number;
      readonly port: number;
    }
  | { readonly finding: 'unrecorded-controller'; readonly domid: number; readonly devid: number };

/** Everything that is wrong with a host; none for a healthy one. */
export function diagnose(inventory: Inventory): Finding[] {
  const controllers = inventory.controllers.flatMap((controller) =>
    controllerFindings(inventory, controller),
  );
  const idle = inventory.usbback ? [] : inventory.controllers.filter(isWaiting);
  return [
    ...(idle.length === 0 ? [] : [{ finding: 'no-usbback', count: idle.length } as const]),
    ...controllers,
    ...inventory.qemus.flatMap((answer) => qemuFindings(inventory, answer)),
    ...inventory.devices.flatMap((device) => bindingFindings(inventory, device)),
    ...inventory.savedDrivers.flatMap((saved) => savedFindings(inventory, saved)),
    ...inventory.saved.flatMap((saved) => configFindings(inventory, saved)),
    ...inventory.orphanBackends.map((orphan): Finding => ({ finding: 'orphan-backend', orphan })),
  ];
}

/** A pv controller that usbback has served before it went. */
function isWaiting({ type, backendDomid, online, backendState }: Controller): boolean {
  return type === 'pv' && backendDomid === 0 && online && backendState !== XenbusState.initialising;
}

function controllerFindings(inventory: Inventory, controller: Controller): Finding[] {
  const { domid, devid, type, backendDomid } = controller;
  if (type === 'unknown' || backendDomid !== 0) return [];
  if (!isAlive(inventory, domid)) return [{ finding: 'dead-domain', controller }];
  // A backend at Closed while it is online is waiting for its guest to come back (a reboot of the driver).
  if (!controller.online) return [{ finding: 'half-removed', controller }];
  const qemu = isOfQemu(type) ? qemuOf(inventory, domid) : undefined;
  // Told once for all controllers of the domain.
  if (qemu?.health === 'dead') return [];
  if (controller.backendState === XenbusState.initialising)
    return [{ finding: 'unserved-controller', controller }];
  // Loading the driver mends it all; without it nothing can be said of bindings.
  if (type === 'pv' && !inventory.usbback) return [];
  if (type === 'devicemodel' && qemu?.health === 'alive' && !qemu.controllers.includes(devid))
    return [{ finding: 'not-emulated', controller }];
  return [
    ...controller.ports.flatMap((port) => portFindings(inventory, { controller, port })),
    ...controller.strayPorts.map((port): Finding => ({ finding: 'bad-port', place: { controller, port } })),
  ];
}

function portFindings(inventory: Inventory, place: Place): Finding[] {
  const { busid, untrustedJunk } = place.port;
  if (untrustedJunk !== undefined) return [{ finding: 'bad-port', place }];
  if (busid === undefined) return [];
  const places = placesOf(inventory, busid);
  const keeper = places.find((candidate) => isOpenInQemu(inventory, candidate)) ?? places[0]!;
  if (!isSamePort(keeper, place)) return [{ finding: 'claimed-twice', place, busid }];
  const device = deviceAt(inventory, busid);
  if (!device) return [{ finding: 'missing-device', place, busid }];
  if (isOfQemu(place.controller.type)) return qemuPortFindings(inventory, place, device);
  if (!isOf(savedFor(inventory, busid), device, true)) return [{ finding: 'other-device', place, busid }];
  const bound = device.interfaces.length > 0 && device.interfaces.every(({ driver }) => driver === USBBACK);
  return bound ? [] : [{ finding: 'port-without-binding', place, busid }];
}

/**
 * Another device that the guest uses was given to it by somebody: then it is not ours to take away. So was one that
 * an emulated controller has, which gets devices by their address and never what is plugged into a socket later.
 */
function qemuPortFindings(inventory: Inventory, place: Place, { busid, interfaces }: UsbDevice): Finding[] {
  const { type, untrustedFrontend } = place.controller;
  const state = portState(inventory, place);
  const isOpen = isOpenInQemu(inventory, place);
  const isGiven =
    interfaces.some(({ driver }) => driver === USBFS) || (type === 'devicemodel' && isOpen === true);
  if (state === 'other-device' && !isGiven) return [{ finding: 'other-device', place, busid }];
  // One that was pulled out and plugged in again QEMU has in the port, and does not have open.
  if (state === 'not-opened' || isOpen === false) return [{ finding: 'port-without-binding', place, busid }];
  // Seen with QEMU 7.2: it opens what is plugged into the socket again, and does not tell the guest.
  const mayNotice = untrustedFrontend.state === XenbusState.connected;
  const isUnnoticed = state === 'waiting' && type === 'qusb' && isOpen === true && mayNotice;
  return isUnnoticed ? [{ finding: 'unnoticed-device', place, busid }] : [];
}

/** What a QEMU has that nothing in xenstore says, and what was given to one that is dead. */
function qemuFindings(inventory: Inventory, { domid, health, controllers, devices }: QemuAnswer): Finding[] {
  const recorded = inventory.controllers.filter((controller) => controller.domid === domid);
  if (health === 'dead') {
    const places = recorded
      .filter(({ type, backendDomid }) => isOfQemu(type) && backendDomid === 0)
      .flatMap((controller) => allPorts(controller).map((port) => ({ controller, port })))
      .filter(({ port }) => port.busid !== undefined);
    return places.length === 0 || !isAlive(inventory, domid) ? [] : [{ finding: 'dead-qemu', domid, places }];
  }
  const holds = ({ type, devid, port }: QemuDevice): boolean =>
    recorded.some(
      (controller) =>
        controller.type === type &&
        controller.devid === devid &&
        controller.ports.some((own) => own.port === port && own.busid !== undefined),
    );
  return [
    ...devices
      .filter((device) => device.type === 'devicemodel' && !holds(device))
      .map(({ devid, port }): Finding => ({ finding: 'unrecorded-device', domid, devid, port })),
    ...controllers
      .filter((devid) => !recorded.some((controller) => controller.devid === devid))
      .map((devid): Finding => ({ finding: 'unrecorded-controller', domid, devid })),
  ];
}

function configFindings(inventory: Inventory, saved: SavedSettings): Finding[] {
  const { domid, problem } = saved;
  if (problem !== undefined) return [{ finding: 'config-unreadable', domid, problem }];
  const difference = configDifference(inventory, saved);
  return difference ? [{ finding: 'config-differs', difference }] : [];
}

/**
 * Devices that no guest has, no program and no driver: perhaps there is no driver for them; perhaps a QEMU died that
 * had them from xl, and nothing says which driver they had.
 */
export function findIdle({ devices, ...inventory }: Inventory): UsbDevice[] {
  const saved = new Set(inventory.savedDrivers.map(({ busid }) => busid));
  return devices.filter(
    ({ busid, kind, interfaces }) =>
      kind === 'device' &&
      interfaces.length > 0 &&
      interfaces.every(({ driver }) => driver === undefined) &&
      placesOf(inventory, busid).length === 0 &&
      !saved.has(busid),
  );
}

function isSamePort(a: Place, b: Place): boolean {
  const sameController =
    a.controller.domid === b.controller.domid && a.controller.devid === b.controller.devid;
  return sameController && a.port.port === b.port.port;
}

function bindingFindings(inventory: Inventory, device: UsbDevice): Finding[] {
  const bound = device.interfaces.some(({ driver }) => driver === USBBACK);
  const { busid } = device;
  return bound && placesOf(inventory, busid).length === 0 ? [{ finding: 'binding-without-port', busid }] : [];
}

function savedFindings(inventory: Inventory, saved: SavedDrivers): Finding[] {
  const { busid } = saved;
  // With a port or a binding the finding is theirs, and so is the mending.
  if (placesOf(inventory, busid).length > 0) return [];
  if (deviceAt(inventory, busid)?.interfaces.some(({ driver }) => driver === USBBACK)) return [];
  return [{ finding: 'stale-saved-driver', busid }];
}
