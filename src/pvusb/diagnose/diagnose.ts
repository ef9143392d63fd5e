/** Finds half-done work and what is left over, in an Inventory. Pure; {@link planRepair} says how each is repaired. */

import { addressIn } from '../../sysfs/identity.js';
import type { UsbDevice } from '../../sysfs/index.js';
import { configDifference } from '../model/config-difference.js';
import { isOnAnother, USBBACK } from '../model/drivers.js';
import {
  allPorts,
  deviceAt,
  isAlive,
  isSamePlug,
  type Place,
  placesOf,
  qemuOf,
  savedFor,
} from '../model/find.js';
import type { Finding } from '../model/finding.js';
import type {
  Controller,
  Inventory,
  QemuAnswer,
  QemuDevice,
  SavedDrivers,
  SavedSettings,
} from '../model/inventory.js';
import { XenbusState } from '../model/inventory.js';
import { isServed } from '../model/served.js';
import { portState } from '../types/port-state.js';
import type { ServedType } from '../types/served-type.js';
import { isOfQemu, servedType, servedTypeOf, servedTypeOn } from '../types/types.js';

/** Everything that is wrong with a host; none for a healthy one. */
export function diagnose(inventory: Inventory): Finding[] {
  const controllers = inventory.controllers.flatMap((controller) =>
    controllerFindings(inventory, controller),
  );
  const idle = inventory.usbback || inventory.backend ? [] : inventory.controllers.filter(isWaiting);
  return [
    ...(idle.length === 0 ? [] : [{ finding: 'no-usbback', count: idle.length } as const]),
    ...controllers,
    ...inventory.qemus.flatMap((answer) => qemuFindings(inventory, answer)),
    ...inventory.devices.flatMap((device) => bindingFindings(inventory, device)),
    ...inventory.savedDrivers.flatMap((saved) => savedFindings(inventory, saved)),
    ...inventory.saved.flatMap((saved) => configFindings(inventory, saved)),
    ...(inventory.quiesced ?? []).map((guest): Finding => ({ finding: 'quiesced', guest })),
    ...inventory.orphanBackends.map((orphan): Finding => ({ finding: 'orphan-backend', orphan })),
  ];
}

/** A controller that usbback served before it was unloaded. */
function isWaiting(controller: Controller): boolean {
  const { backendDomid, online, backendState } = controller;
  const isServed = backendDomid === 0 && online && backendState !== XenbusState.initialising;
  return isServed && (servedTypeOf(controller)?.needsUsbback ?? false);
}

function controllerFindings(inventory: Inventory, controller: Controller): Finding[] {
  const { domid, devid } = controller;
  if (!isServed(controller)) return [];
  const type = servedTypeOn(inventory, controller.type);
  if (!isAlive(inventory, domid)) return [{ finding: 'dead-domain', controller }];
  // A backend that is Closed while online is waiting for its guest to come back (the driver restarts).
  if (!controller.online) return [{ finding: 'half-removed', controller }];
  const qemu = type.isOfQemu ? qemuOf(inventory, domid) : undefined;
  // Reported once for all controllers of the domain.
  if (qemu?.health === 'dead') return [];
  if (controller.backendState === XenbusState.initialising)
    return [{ finding: 'unserved-controller', controller }];
  // Loading the driver fixes all of it; without it nothing can be said about bindings.
  if (type.needsUsbback && !inventory.usbback) return [];
  if (type.isEmulated && qemu?.health === 'alive' && !qemu.controllers.includes(devid))
    return [{ finding: 'not-emulated', controller }];
  return [
    ...(lacksFrontend(controller) ? [{ finding: 'no-frontend', controller } as const] : []),
    ...controller.ports.flatMap((port) => portFindings(inventory, type, { controller, port })),
    ...controller.strayPorts.map((port): Finding => ({ finding: 'bad-port', place: { controller, port } })),
  ];
}

/** Its server is ready, its devices are waiting, and the guest has written nothing. */
function lacksFrontend({ backendState, untrustedFrontend, ports }: Controller): boolean {
  const isReady = backendState === XenbusState.initWait;
  const hasWritten = (untrustedFrontend.state ?? XenbusState.initialising) !== XenbusState.initialising;
  return isReady && !hasWritten && ports.some(({ busid }) => busid !== undefined);
}

function portFindings(inventory: Inventory, type: ServedType, place: Place): Finding[] {
  const { busid, virtual, untrustedJunk } = place.port;
  if (untrustedJunk !== undefined) return [{ finding: 'bad-port', place }];
  if (virtual !== undefined && inventory.backend && portState(inventory, place) === 'not-opened')
    return [{ finding: 'virtual-not-opened', place, virtual }];
  if (busid === undefined) return [];
  const places = placesOf(inventory, busid);
  const keeper = places.find((other) => typeOf(inventory, other)?.isOpen(inventory, other)) ?? places[0]!;
  if (!isSamePort(keeper, place)) return [{ finding: 'claimed-twice', place, busid }];
  const device = deviceAt(inventory, busid);
  if (!device) return [{ finding: 'missing-device', place, busid }];
  const fault = type.examine(inventory, place, device, portState(inventory, place));
  if (!fault) return [];
  if (fault === 'port-without-binding' && inventory.backend && place.controller.type === 'pv')
    return [{ finding: fault, place, busid, notTaken: type.notTaken }];
  if (fault !== 'unnoticed-device') return [{ finding: fault, place, busid }];
  return [{ finding: fault, place, busid, isReplugged: isReplugged(inventory, place, device) }];
}

/** What a QEMU has that xenstore does not record, and what was given to a QEMU that is dead. */
function qemuFindings(inventory: Inventory, { domid, health, controllers, devices }: QemuAnswer): Finding[] {
  const recorded = inventory.controllers.filter((controller) => controller.domid === domid);
  if (health === 'dead') {
    const places = recorded
      .filter((controller) => isOfQemu(controller) && controller.backendDomid === 0)
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
      // Another type's devices follow their ports by themselves.
      .filter((device) => servedType(device.type).isEmulated && !holds(device))
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
 * Devices that no guest, no program and no driver has: there may be no driver for them, or a QEMU died that had them
 * from xl, so that no record says which driver they had.
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

function typeOf(inventory: Inventory, { controller: { type } }: Place): ServedType | undefined {
  return type === 'unknown' ? undefined : servedTypeOn(inventory, type);
}

function isSamePort(a: Place, b: Place): boolean {
  const sameController =
    a.controller.domid === b.controller.domid && a.controller.devid === b.controller.devid;
  return sameController && a.port.port === b.port.port;
}

/** Whether usbback has a device that is in no port. */
export function isBoundWithoutPort(inventory: Inventory, { busid, interfaces }: UsbDevice): boolean {
  return interfaces.some(({ driver }) => driver === USBBACK) && placesOf(inventory, busid).length === 0;
}

function bindingFindings(inventory: Inventory, device: UsbDevice): Finding[] {
  return isBoundWithoutPort(inventory, device)
    ? [{ finding: 'binding-without-port', busid: device.busid }]
    : [];
}

/** Whether a lent device has a different address from when it was lent: according to our record, or else to libxl's. */
function isReplugged(inventory: Inventory, { controller, port }: Place, device: UsbDevice): boolean {
  const address = `${device.bus}.${device.address}`;
  const recorded = addressIn(savedFor(inventory, device.busid)?.identity ?? '');
  if (recorded !== undefined) return recorded !== address;
  const settings = inventory.saved.find(({ domid }) => domid === controller.domid);
  const entry = settings?.devices.find(({ ctrl, port: at }) => ctrl === controller.devid && at === port.port);
  return entry !== undefined && `${entry.hostbus}.${entry.hostaddr}` !== address;
}

function savedFindings(inventory: Inventory, saved: SavedDrivers): Finding[] {
  const { busid } = saved;
  const device = deviceAt(inventory, busid);
  // With a port or a binding, that is the finding, and its repair covers this too.
  if (placesOf(inventory, busid).length > 0) return [];
  if (device?.interfaces.some(({ driver }) => driver === USBBACK)) return [];
  const now = new Map(device?.interfaces.map(({ id, driver }) => [id, driver]));
  const others =
    !device || !isSamePlug(saved, device)
      ? []
      : saved.drivers.flatMap(({ interface: intf, driver: was }) => {
          const driver = now.get(intf);
          return driver !== undefined && was !== undefined && isOnAnother(driver, was)
            ? { interface: intf, driver, was }
            : [];
        });
  if (others.length > 0) return [{ finding: 'other-driver', busid, interfaces: others }];
  const isBack = saved.drivers.every(({ interface: intf }) => !now.has(intf) || now.get(intf) !== undefined);
  return [{ finding: 'stale-saved-driver', busid, isBack }];
}
