/**
 * Plans that give a device back. The order makes every failure one that can be seen and tried again: off usbback
 * first, then the port, then the host's drivers; a device is never half on usbback and half on its old driver.
 */
import { type Busid, type DriverName, type InterfaceId, interfaceNumber } from '../sysfs/index.js';
import { deviceAt, isOf, type Place, placesOf } from './find.js';
import { portPath, savedOriginPath } from './layout.js';
import type { Inventory } from './model.js';
import { USBBACK, USBFS } from './observe.js';
import type { Action, Edit, Fact, Plan, Step } from './plan.js';
import { unclaimedFact } from './plan-unclaimed.js';

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
  const free = (more: readonly Edit[]): Step => ({
    why: `free ${name}`,
    act: { do: 'commit', expect: [holds], edits: [{ edit: 'write', path, value: '' }, ...more] },
  });
  if (busid === undefined) return [free([])];
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

/** Gives a device back that is in no port: looked at again, since somebody may have attached it meanwhile. */
export function giveBackSteps(inventory: Inventory, busid: Busid): Step[] {
  const look: Step = {
    why: `see that ${busid} is in no port`,
    act: { do: 'commit', expect: [unclaimedFact(inventory, busid)], edits: [] },
  };
  return [look, ...unbindSteps(inventory, busid), ...restoreSteps(inventory, busid)];
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
  const saved = inventory.savedDrivers.find((entry) => entry.busid === busid);
  const device = deviceAt(inventory, busid);
  const same = device === undefined || isOf(saved, device, placesOf(inventory, busid).length > 0);
  const drivers = new Map<InterfaceId, DriverName | undefined>();
  for (const { interface: intf, driver } of saved?.drivers ?? []) {
    drivers.set(intf, same && driver !== USBFS ? driver : undefined);
  }
  const interfaces = device?.interfaces ?? [];
  // Nothing trustworthy is known of this device, or it was recorded in another configuration: the kernel knows best.
  const isKnown = same && saved !== undefined && interfaces.some(({ id }) => drivers.has(id));
  if (!isKnown && !(same && saved?.drivers.length === 0)) {
    for (const { id, driver } of interfaces) if (driver === USBBACK) drivers.set(id, drivers.get(id));
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
