/**
 * Plans that give a device back. The order makes every failure one that can be seen and tried again: off usbback
 * first, then the port, then the host's drivers; a device is never half on usbback and half on its old driver.
 */
import {
  type Busid,
  type DriverName,
  hasIdentity,
  type InterfaceId,
  interfaceNumber,
} from '../sysfs/index.js';
import { deviceAt, type Place, placesOf } from './find.js';
import {
  IDENTITY_KEY,
  ORIGIN_KEY,
  portPath,
  SAVED_DRIVERS,
  savedDevicePath,
  savedInterfacePath,
  savedOriginPath,
} from './layout.js';
import type { Inventory } from './model.js';
import { USBBACK, USBFS } from './observe.js';
import type { Action, Edit, Plan, Step } from './plan.js';

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
  if (controller.backend === undefined) return [];
  if (held === undefined) {
    return unfinishedDetaches(inventory, place).flatMap((left) => [
      ...unbindSteps(inventory, left),
      ...restoreSteps(inventory, left),
    ]);
  }
  const path = portPath(controller.backend, port.port);
  const clear: Step = {
    why: `free port ${port.port} of controller ${controller.devid} of domain ${controller.domid}`,
    act: {
      do: 'commit',
      expect: [],
      edits: [{ edit: 'clear', path, from: held }, ...originEdits(inventory, busid, path)],
    },
  };
  // Another port claims the same device: it keeps what it has.
  if (busid === undefined || isElsewhere(inventory, busid)) return [clear];
  return [...unbindSteps(inventory, busid), clear, ...restoreSteps(inventory, busid)];
}

/** The devices that were taken from a port and not given back yet: a detach was interrupted. */
export function unfinishedDetaches(inventory: Inventory, { controller, port }: Place): Busid[] {
  const path = controller.backend === undefined ? undefined : portPath(controller.backend, port.port);
  return inventory.savedDrivers
    .filter(({ origin }) => origin !== undefined && origin === path)
    .filter(({ busid }) => placesOf(inventory, busid).length === 0)
    .map(({ busid }) => busid);
}

/** Says where a device comes from while its drivers are given back, so that the same detach can go on with it. */
function originEdits(inventory: Inventory, busid: Busid | undefined, path: string): Edit[] {
  if (busid === undefined || isElsewhere(inventory, busid) || !deviceAt(inventory, busid)) return [];
  const saved = inventory.savedDrivers.find((entry) => entry.busid === busid);
  return saved ? [{ edit: 'write', path: savedOriginPath(busid), value: path }] : [];
}

function isElsewhere(inventory: Inventory, busid: Busid): boolean {
  return placesOf(inventory, busid).length > 1;
}

/** Takes every interface of a device off usbback. */
export function unbindSteps(inventory: Inventory, busid: Busid): Step[] {
  const interfaces = deviceAt(inventory, busid)?.interfaces ?? [];
  return interfaces
    .filter(({ driver }) => driver === USBBACK)
    .map(({ id }) => ({
      why: `take ${id} from the guest`,
      act: { do: 'unbind', interface: id, driver: USBBACK },
    }));
}

/** Gives every interface of a device back to its driver, lowest number first, and forgets the records. */
export function restoreSteps(inventory: Inventory, busid: Busid): Step[] {
  if (!deviceAt(inventory, busid)) return [forgetMissing(busid)];
  const restores = restoreActions(busid, driversToRestore(inventory, busid));
  return [
    ...restores.map((act): Step => ({ why: `give ${busid} back to the host`, act, goOn: true })),
    { why: `forget ${busid}`, act: { do: 'commit', expect: [], edits: forgetEdits(busid) } },
  ];
}

/** A device that has been pulled out has nothing to give back; plugged in again, it gets its drivers by itself. */
function forgetMissing(busid: Busid): Step {
  const edits: Edit[] = [
    { edit: 'rm', path: savedDevicePath(busid) },
    { edit: 'prune', path: SAVED_DRIVERS },
  ];
  return { why: `forget ${busid}`, act: { do: 'commit', expect: [], edits } };
}

/**
 * Which interfaces go back, and to which driver: the recorded one, if it was recorded for this very device;
 * interfaces that usbback took without a record go to whatever the kernel finds.
 */
function driversToRestore(inventory: Inventory, busid: Busid): Map<InterfaceId, DriverName | undefined> {
  const saved = inventory.savedDrivers.find((entry) => entry.busid === busid);
  const device = deviceAt(inventory, busid);
  const same = saved?.identity === undefined || device === undefined || hasIdentity(device, saved.identity);
  const drivers = new Map<InterfaceId, DriverName | undefined>();
  for (const { interface: intf, driver } of saved?.drivers ?? [])
    drivers.set(intf, same && driver !== USBFS ? driver : undefined);
  if (!same || saved === undefined) {
    // Nothing trustworthy is known of this device: the kernel knows best.
    for (const { id, driver } of device?.interfaces ?? [])
      if (driver === USBBACK) drivers.set(id, drivers.get(id));
  }
  return drivers;
}

/** Lowest interface number first: drivers of several interfaces (snd-usb-audio) refuse any other. */
export function restoreActions(
  busid: Busid,
  drivers: ReadonlyMap<InterfaceId, DriverName | undefined>,
): Action[] {
  return [...drivers]
    .sort(([a], [b]) => interfaceNumber(a) - interfaceNumber(b))
    .map(([intf, driver]) => ({
      do: 'restore',
      interface: intf,
      ...(driver === undefined ? {} : { driver }),
      record: savedInterfacePath(busid, intf),
    }));
}

/** Removes what is left of a device's record when no saved driver is in it any more. */
export function forgetEdits(busid: Busid): Edit[] {
  return [
    { edit: 'prune', path: savedDevicePath(busid), ignoring: [IDENTITY_KEY, ORIGIN_KEY] },
    { edit: 'prune', path: SAVED_DRIVERS },
  ];
}
