/** Finds half-done work and what is left over, in an Inventory. Pure; {@link planRepair} says how each is mended. */
import { type Busid, escapeText, type UsbDevice } from '../sysfs/index.js';
import { deviceAt, isOf, type Place, placesOf } from './find.js';
import type { Controller, Inventory, OrphanBackend, Port, SavedDrivers } from './model.js';
import { XenbusState } from './model.js';
import { USBBACK } from './observe.js';

/** Something that is not as any finished operation leaves it. */
export type Finding =
  /** A port names a device that has been pulled out. */
  | { readonly finding: 'missing-device'; readonly place: Place; readonly busid: Busid }
  /** A port names a device whose interfaces are not (all) on usbback. */
  | { readonly finding: 'port-without-binding'; readonly place: Place; readonly busid: Busid }
  /** A port names one device, another one sits in that socket. */
  | { readonly finding: 'other-device'; readonly place: Place; readonly busid: Busid }
  /** A device stands in this port and in an earlier one. */
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
  /** A pv controller that usbback never took. */
  | { readonly finding: 'unserved-controller'; readonly controller: Controller };

/** Everything that is wrong with a host; none for a healthy one. */
export function diagnose(inventory: Inventory): Finding[] {
  const controllers = inventory.controllers.flatMap((controller) =>
    controllerFindings(inventory, controller),
  );
  const idle = inventory.usbback ? [] : inventory.controllers.filter(isWaiting);
  return [
    ...(idle.length === 0 ? [] : [{ finding: 'no-usbback', count: idle.length } as const]),
    ...controllers,
    ...inventory.devices.flatMap((device) => bindingFindings(inventory, device)),
    ...inventory.savedDrivers.flatMap((saved) => savedFindings(inventory, saved)),
    ...inventory.orphanBackends.map((orphan): Finding => ({ finding: 'orphan-backend', orphan })),
  ];
}

/** A pv controller that usbback has served before it went. */
function isWaiting({ type, backendDomid, online, backendState }: Controller): boolean {
  return type === 'pv' && backendDomid === 0 && online && backendState !== XenbusState.initialising;
}

function controllerFindings(inventory: Inventory, controller: Controller): Finding[] {
  if (controller.type !== 'pv' || controller.backendDomid !== 0) return [];
  const alive = inventory.domains.some(({ domid, alive: lives }) => domid === controller.domid && lives);
  if (!alive) return [{ finding: 'dead-domain', controller }];
  // A backend at Closed while it is online is waiting for its guest to come back (a reboot of the driver).
  if (!controller.online) return [{ finding: 'half-removed', controller }];
  if (controller.backendState === XenbusState.initialising)
    return [{ finding: 'unserved-controller', controller }];
  // Loading the driver mends it all; without it nothing can be said of bindings.
  if (!inventory.usbback) return [];
  return [
    ...controller.ports.flatMap((port) => portFindings(inventory, { controller, port })),
    ...controller.strayPorts.map((port): Finding => ({ finding: 'bad-port', place: { controller, port } })),
  ];
}

function portFindings(inventory: Inventory, place: Place): Finding[] {
  const { busid, untrustedJunk } = place.port;
  if (untrustedJunk !== undefined) return [{ finding: 'bad-port', place }];
  if (busid === undefined) return [];
  const first = placesOf(inventory, busid)[0]!;
  if (!isSamePort(first, place)) return [{ finding: 'claimed-twice', place, busid }];
  const device = deviceAt(inventory, busid);
  if (!device) return [{ finding: 'missing-device', place, busid }];
  const saved = inventory.savedDrivers.find((entry) => entry.busid === busid);
  if (!isOf(saved, device, true)) return [{ finding: 'other-device', place, busid }];
  const bound = device.interfaces.length > 0 && device.interfaces.every(({ driver }) => driver === USBBACK);
  return bound ? [] : [{ finding: 'port-without-binding', place, busid }];
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

/** A finding as one sentence. */
export function describeFinding(finding: Finding): string {
  switch (finding.finding) {
    case 'missing-device':
      return `${describePlace(finding.place)} holds ${finding.busid}, which has been pulled out.`;
    case 'port-without-binding':
      return `${describePlace(finding.place)} holds ${finding.busid}, but the guest does not have it: its interfaces are not on usbback.`;
    case 'other-device':
      return `${describePlace(finding.place)} holds ${finding.busid}, but another device is plugged in there now.`;
    case 'claimed-twice':
      return `${describePlace(finding.place)} holds ${finding.busid}, which another port holds too.`;
    case 'bad-port':
      return `${describePlace(finding.place)} ${describeBadPort(finding.place.port)}.`;
    case 'binding-without-port':
      return `${finding.busid} is on usbback, but attached to no guest.`;
    case 'stale-saved-driver':
      return `Drivers are saved for ${finding.busid}, which is attached to no guest.`;
    case 'orphan-backend':
      return `The backend ${finding.orphan.backend} belongs to no controller.`;
    case 'dead-domain':
      return `${describeController(finding.controller)} is left over: the domain is gone.`;
    case 'half-removed':
      return `${describeController(finding.controller)} is half removed.`;
    case 'no-usbback':
      return `The kernel driver usbback is not loaded, so ${finding.count} ${finding.count === 1 ? 'controller is' : 'controllers are'} served by nobody: modprobe usbback.`;
    case 'unserved-controller':
      return `${describeController(finding.controller)} is served by nobody: usbback has not taken it.`;
  }
}

function describeBadPort({ busid, untrustedJunk }: Port): string {
  if (untrustedJunk !== undefined) return `holds "${escapeText(untrustedJunk)}", which is no device`;
  return `does not exist, but holds ${busid}`;
}

function describePlace({ controller, port }: Place): string {
  return `Port ${port.port} of controller ${controller.devid} of domain ${controller.domid}`;
}

function describeController({ domid, devid }: Controller): string {
  return `Controller ${devid} of domain ${domid}`;
}

/** The same for the same finding, whenever it is found: tells what lasts from what is just being done. */
export function findingKey(finding: Finding): string {
  return describeFinding(finding);
}
