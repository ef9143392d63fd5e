/**
 * Plans that give a device back. The order makes every failure one that can be seen and tried again: off usbback or
 * out of QEMU, then the port (with qusb the port first, which QEMU follows), then the host's drivers; a device is
 * never half with the guest and half with the host.
 */
import { type Busid, type DriverName, type InterfaceId, interfaceNumber } from '../../sysfs/busid.js';
import { USBBACK, USBFS } from '../model/drivers.js';
import { deviceAt, isAlive, isOf, type Place, placesOf, qemuOf, savedFor } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { backendsPath, type ControllerId, portPath, savedOriginPath } from '../model/layout.js';
import type { Action, Edit, Fact, Plan, Step } from '../model/plan.js';
import { telling } from '../model/saved-config.js';
import { isOfQemu } from '../types/service.js';
import { unclaimedFact } from './facts.js';

/** Empties one port and gives its device back to the host. */
export function planDetach(inventory: Inventory, place: Place): Plan {
  const { controller, port } = place;
  const what = port.busid ?? unfinishedDetaches(inventory, place)[0] ?? 'what is there';
  return {
    title: `detach ${what} from port ${port.port} of controller ${controller.devid} of domain ${controller.domid}`,
    steps: planDetachSteps(inventory, place),
    onFailure: 'stop',
  };
}

/**
 * The steps of {@link planDetach}. For an empty port: what is left of a detach that was interrupted behind the
 * freeing of the port, if there was one.
 */
export function planDetachSteps(inventory: Inventory, place: Place): Step[] {
  const { controller, port } = place;
  const { busid, untrustedJunk } = port;
  const held = busid ?? untrustedJunk;
  if (controller.portsAt === undefined) return [];
  if (held === undefined) {
    return unfinishedDetaches(inventory, place).flatMap((left) => giveBackSteps(inventory, left));
  }
  const path = portPath(controller.portsAt, port.port);
  const name = `port ${port.port} of controller ${controller.devid} of domain ${controller.domid}`;
  const holds: Fact = { fact: 'value', path, is: held };
  const forgotten = { edit: 'remove-device', ctrl: controller.devid, port: port.port } as const;
  const free = (more: readonly Edit[]): Step => ({
    why: `free ${name}`,
    act: {
      do: 'commit',
      expect: [holds],
      edits: [{ edit: 'write', path, value: '' }, ...more],
      ...telling(inventory, controller.domid, [forgotten], { ifPossible: true }),
    },
  });
  if (busid === undefined) return [free([])];
  if (isOfQemu(controller.type)) return qemuDetachSteps(inventory, place, busid, free);
  const unbinds = unbindSteps(inventory, busid);
  const look: Step = {
    why: `see that ${name} still holds ${busid}`,
    act: { do: 'commit', expect: [holds], edits: [] },
  };
  // Another port claims the same device: it keeps what it has.
  if (placesOf(inventory, busid).length > 1) return [free([])];
  const taken = unbinds.length === 0 ? [] : [look, ...unbinds];
  const origin: Edit = { edit: 'write', path: savedOriginPath(busid), value: path };
  return [...taken, free(deviceAt(inventory, busid) ? [origin] : []), ...restoreSteps(inventory, busid)];
}

/** QEMU gives the drivers back by itself while it lives; what it does not give back is given back here. */
function qemuDetachSteps(
  inventory: Inventory,
  { controller, port }: Place,
  busid: Busid,
  free: (more: readonly Edit[]) => Step,
): Step[] {
  const { domid, devid, portsAt, type } = controller;
  const path = portPath(portsAt!, port.port);
  const at = { domid, devid, port: port.port };
  const hasQemu = isAlive(inventory, domid) && qemuOf(inventory, domid)?.health !== 'dead';
  const origin: Edit = { edit: 'write', path: savedOriginPath(busid), value: path };
  const isShared = placesOf(inventory, busid).length > 1;
  const freeing = free(deviceAt(inventory, busid) && !isShared ? [origin] : []);
  const restoring = isShared ? [] : restoreSteps(inventory, busid);
  if (!hasQemu) return [freeing, ...restoring];
  if (type === 'qusb') return [freeing, releaseStep(at, busid), ...restoring];
  const look: Step = {
    why: `see that port ${at.port} of controller ${devid} of domain ${domid} still holds ${busid}`,
    act: { do: 'commit', expect: [{ fact: 'value', path, is: busid }], edits: [] },
  };
  const unlend: Step = {
    why: `have the QEMU of domain ${domid} let go of ${busid}`,
    act: { do: 'unlend', ...at },
  };
  return [look, unlend, freeing, ...restoring];
}

/** A port of a controller that a QEMU serves. */
type QemuPort = ControllerId & { readonly port: number };

/** How long QEMU may take to follow a port node. */
export const QEMU_WITHIN_MS = 10_000;

/** Waits until QEMU has followed a port that was freed. */
export function releaseAction({ domid, devid, port }: QemuPort, busid: Busid): Action {
  return { do: 'release', domid, devid, port, busid, withinMs: QEMU_WITHIN_MS };
}

function releaseStep(at: QemuPort, busid: Busid): Step {
  return { why: `let the QEMU of domain ${at.domid} let go of ${busid}`, act: releaseAction(at, busid) };
}

/** A detach through a QEMU that lives, interrupted behind the freeing of the port: QEMU may have the device still. */
function lateReleases(inventory: Inventory, busid: Busid): Step[] {
  const origin = savedFor(inventory, busid)?.origin;
  return inventory.controllers
    .filter(({ domid, type }) => type === 'qusb' && isAlive(inventory, domid))
    .flatMap((controller) => controller.ports.map(({ port }) => ({ controller, port })))
    .filter(({ controller, port }) => portPath(controller.portsAt!, port) === origin)
    .map(({ controller: { domid, devid }, port }) => releaseStep({ domid, devid, port }, busid));
}

/** Gives a device back that is in no port: looked at again, since somebody may have attached it meanwhile. */
export function giveBackSteps(inventory: Inventory, busid: Busid): Step[] {
  const look: Step = {
    why: `see that ${busid} is in no port`,
    act: { do: 'commit', expect: [unclaimedFact(inventory, busid)], edits: [] },
  };
  const letGo = [...lateReleases(inventory, busid), ...unbindSteps(inventory, busid)];
  return [look, ...letGo, ...restoreSteps(inventory, busid)];
}

/** The devices that were taken from a port and not given back yet: a detach was interrupted. */
export function unfinishedDetaches(inventory: Inventory, { controller, port }: Place): Busid[] {
  const path = controller.portsAt === undefined ? undefined : portPath(controller.portsAt, port.port);
  return inventory.savedDrivers
    .filter(({ origin }) => origin !== undefined && origin === path)
    .filter(({ busid }) => placesOf(inventory, busid).length === 0)
    .map(({ busid }) => busid);
}

/** Takes every interface of a device off usbback. */
function unbindSteps(inventory: Inventory, busid: Busid): Step[] {
  const interfaces = deviceAt(inventory, busid)?.interfaces ?? [];
  return interfaces
    .filter(({ driver }) => driver === USBBACK)
    .map(({ id }) => ({
      why: `take ${id} from the guest`,
      act: { do: 'unbind', interface: id, driver: USBBACK },
    }));
}

/** Gives every interface of a device back to its driver, lowest number first, and forgets what has served. */
function restoreSteps(inventory: Inventory, busid: Busid): Step[] {
  const drivers = driversToRestore(inventory, busid);
  const restores = deviceAt(inventory, busid) ? restoreActions(drivers) : [];
  return [
    ...restores.map((act): Step => ({ why: `give ${busid} back to the host`, act, goOn: true })),
    { why: `forget ${busid}`, act: forgetAction(busid, drivers) },
  ];
}

/**
 * Which interfaces go back, and to which driver: the recorded one, if it was recorded for this very device;
 * interfaces that usbback took without a record go to whatever the kernel finds.
 */
function driversToRestore(inventory: Inventory, busid: Busid): Map<InterfaceId, DriverName | undefined> {
  const saved = savedFor(inventory, busid);
  const device = deviceAt(inventory, busid);
  const same = device === undefined || isOf(saved, device, placesOf(inventory, busid).length > 0);
  const drivers = new Map<InterfaceId, DriverName | undefined>();
  for (const { interface: intf, driver } of saved?.drivers ?? []) {
    drivers.set(intf, same && driver !== USBFS ? driver : undefined);
  }
  const interfaces = device?.interfaces ?? [];
  // Nothing trustworthy is known of this device, or it was recorded in another configuration: the kernel knows best.
  const isKnown = same && saved !== undefined && interfaces.some(({ id }) => drivers.has(id));
  if (!isKnown && !(same && saved?.identity !== undefined && saved.drivers.length === 0)) {
    const isByQemu =
      placesOf(inventory, busid).some(({ controller }) => isOfQemu(controller.type)) ||
      (saved?.origin !== undefined && !saved.origin.startsWith(backendsPath('vusb')));
    const isLent = (driver: DriverName | undefined): boolean =>
      driver === USBBACK || (isByQemu && (driver === undefined || driver === USBFS));
    for (const { id, driver } of interfaces) if (isLent(driver)) drivers.set(id, drivers.get(id));
  }
  return drivers;
}

/** Lowest interface number first: drivers of several interfaces (snd-usb-audio) refuse any other. */
export function restoreActions(drivers: ReadonlyMap<InterfaceId, DriverName | undefined>): Action[] {
  return [...drivers]
    .sort(([a], [b]) => interfaceNumber(a) - interfaceNumber(b))
    .map(([intf, driver]) => ({
      do: 'restore',
      interface: intf,
      ...(driver === undefined ? {} : { driver }),
    }));
}

/** Forgets the records of these interfaces; one whose driver has not taken it back is kept. */
export function forgetAction(
  busid: Busid,
  drivers: ReadonlyMap<InterfaceId, DriverName | undefined>,
): Action {
  const records = [...drivers].map(([intf, driver]) => ({ interface: intf, keep: driver !== undefined }));
  return { do: 'forget', busid, records };
}
