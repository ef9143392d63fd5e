/**
 * Plans that give a device back. The order is such that every failure can be seen and the detach tried again: off
 * usbback or out of QEMU, then the port (with qusb the port first, which QEMU follows), then the host's drivers; a
 * device is never half with the guest and half with the host.
 */
import { type Busid, type DriverName, type InterfaceId, interfaceNumber } from '../../sysfs/busid.js';
import { USBBACK, USBFS } from '../model/drivers.js';
import { addressOf, deviceAt, isOf, isSamePlug, type Place, placesOf, savedFor } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { portPath, savedOriginPath } from '../model/layout.js';
import type { Action, Edit, Fact, Plan, RestoreAction, Step } from '../model/plan.js';
import { telling } from '../model/saved-config.js';
import { isServed } from '../model/served.js';
import { namePort } from '../model/wording.js';
import { SERVED_TYPES, servedTypeOn, typesOfPort } from '../types/types.js';
import { unclaimedFact } from './facts.js';
import { virtualLetGo } from './virtual.js';

/** Empties one port and gives its device back to the host. */
export function planDetach(inventory: Inventory, place: Place): Plan {
  const { controller, port } = place;
  const { domid, devid } = controller;
  const what = port.busid ?? port.virtual ?? unfinishedDetaches(inventory, place)[0] ?? 'what is there';
  return {
    title: `detach ${what} from ${namePort(inventory, { domid, devid, port: port.port })}`,
    steps: planDetachSteps(inventory, place),
    onFailure: 'stop',
  };
}

/**
 * The steps of {@link planDetach}. For an empty port: what is left of a detach that was interrupted after it freed the
 * port, if there was one.
 */
export function planDetachSteps(inventory: Inventory, place: Place): Step[] {
  const { controller, port } = place;
  const { busid, untrustedJunk, virtual } = port;
  const held = busid ?? untrustedJunk;
  if (!isServed(controller)) return [];
  const unfinished = held === undefined ? unfinishedDetaches(inventory, place) : [];
  const left = unfinished.flatMap((one) => giveBackSteps(inventory, one));
  if (held === undefined && virtual === undefined) return left;
  const path = portPath(controller.portsAt, port.port);
  const { domid, devid } = controller;
  const name = namePort(inventory, { domid, devid, port: port.port });
  // libxl takes the port of a virtual device for empty, and may have put a device there, too.
  const letGo = virtualLetGo(place);
  const holds: Fact = held === undefined ? { fact: 'vacant', path } : { fact: 'value', path, is: held };
  const forgotten = { edit: 'remove-device', ctrl: controller.devid, port: port.port } as const;
  const free = (more: readonly Edit[]): Step => ({
    why: `free ${name}`,
    act: {
      do: 'commit',
      expect: [holds, ...letGo.expect],
      edits: [...letGo.edits, { edit: 'write', path, value: '' }, ...more],
      ...(held === undefined ? {} : telling(inventory, controller.domid, [forgotten], { ifPossible: true })),
    },
  });
  if (busid === undefined) return [free([]), ...letGo.after, ...left];
  const look: Step = {
    why: `check that ${name} still holds ${busid}`,
    act: { do: 'commit', expect: [holds], edits: [] },
  };
  // Another port that claims the same device keeps what it has.
  const isShared = placesOf(inventory, busid).length > 1;
  const { before, after } = servedTypeOn(inventory, controller.type).letGo(inventory, place, isShared);
  const origin: Edit = { edit: 'write', path: savedOriginPath(busid), value: path };
  return [
    ...(before.length === 0 ? [] : [look, ...before]),
    free(deviceAt(inventory, busid) && !isShared ? [origin] : []),
    ...letGo.after,
    ...after,
    ...(isShared ? [] : restoreSteps(inventory, busid)),
  ];
}

/** Gives a device back that is in no port: checked again, since another program may have attached it meanwhile. */
export function giveBackSteps(inventory: Inventory, busid: Busid): Step[] {
  const look: Step = {
    why: `check that ${busid} is in no port`,
    act: { do: 'commit', expect: [unclaimedFact(inventory, busid)], edits: [] },
  };
  const device = deviceAt(inventory, busid);
  const { origin } = savedFor(inventory, busid) ?? {};
  const letGo = device ? SERVED_TYPES.flatMap((type) => type.letGoLate(inventory, device, origin)) : [];
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

/**
 * Gives every interface of a device back to its driver, lowest number first, and removes the records that are no longer
 * needed.
 */
function restoreSteps(inventory: Inventory, busid: Busid): Step[] {
  const drivers = driversToRestore(inventory, busid);
  const device = deviceAt(inventory, busid);
  const saved = savedFor(inventory, busid);
  const at = device && saved && isSamePlug(saved, device) ? addressOf(device) : undefined;
  const restores = device ? restoreActions(drivers, at) : [];
  return [
    ...restores.map((act): Step => ({ why: `give ${busid} back to the host`, act, goOn: true })),
    { why: `forget ${busid}`, act: forgetAction(busid, drivers, at) },
  ];
}

/**
 * Which interfaces go back, and to which driver: the recorded one, if it was recorded for this very device;
 * interfaces that usbback took without a record go to whatever driver the kernel finds.
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
  // Nothing trustworthy is known about this device, or it was recorded in another configuration: the kernel knows best.
  const isKnown = same && saved !== undefined && interfaces.some(({ id }) => drivers.has(id));
  if (!isKnown && !(same && saved?.identity !== undefined && saved.drivers.length === 0)) {
    const lentBy = [
      ...placesOf(inventory, busid).flatMap(({ controller: { type } }) =>
        type === 'unknown' ? [] : servedTypeOn(inventory, type),
      ),
      ...(saved?.origin === undefined ? [] : typesOfPort(saved.origin)),
    ];
    const isLent = (driver: DriverName | undefined): boolean =>
      driver === USBBACK || lentBy.some((type) => type.isTakenBy(driver));
    for (const { id, driver } of interfaces) if (isLent(driver)) drivers.set(id, drivers.get(id));
  }
  return drivers;
}

/** Lowest interface number first: drivers of several interfaces (snd-usb-audio) refuse any other. */
export function restoreActions(
  drivers: ReadonlyMap<InterfaceId, DriverName | undefined>,
  at: string | undefined,
): RestoreAction[] {
  return [...drivers]
    .sort(([a], [b]) => interfaceNumber(a) - interfaceNumber(b))
    .map(([intf, driver]) => ({
      do: 'restore',
      interface: intf,
      ...(driver === undefined ? {} : { driver, ...(at === undefined ? {} : { at }) }),
    }));
}

/** Removes the records of these interfaces, except where the driver has not taken the interface back. */
export function forgetAction(
  busid: Busid,
  drivers: ReadonlyMap<InterfaceId, DriverName | undefined>,
  at: string | undefined,
): Action {
  const records = [...drivers].map(([intf, driver]) => ({
    interface: intf,
    ...(driver === undefined ? {} : { driver }),
    keep: driver !== undefined,
  }));
  return { do: 'forget', busid, ...(at === undefined ? {} : { at }), records };
}
