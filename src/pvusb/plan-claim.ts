/** The steps that lend a device through usbback: the claim of a port, then every interface onto usbback. Pure. */
import {
  type DriverName,
  formatIdentity,
  hasIdentity,
  type InterfaceId,
  type UsbDevice,
} from '../sysfs/index.js';
import { hostControllers } from './find.js';
import { formatDriverPath, portPath, savedIdentityPath, savedInterfacePath } from './layout.js';
import type { Inventory } from './model.js';
import { USBBACK, USBFS } from './observe.js';
import type { Action, Edit, Fact, Step, UnclaimedFact } from './plan.js';
import type { Target } from './plan-attach.js';
import { forgetEdits, restoreActions } from './plan-detach.js';

/** The claim: the port, the device's identity and the drivers to give it back to, all at once. */
export function claimStep(inventory: Inventory, device: UsbDevice, target: Target): Step {
  const { busid } = device;
  const port = portPath(target.backend, target.port);
  const drivers = new Map(device.interfaces.flatMap(({ id, driver }) => naturalDriver(id, driver)));
  const expect: Fact[] = [
    { fact: 'value', path: port, is: '' },
    { fact: 'value', path: `${target.backend}/online`, is: '1' },
    unclaimed(inventory, device, target),
  ];
  const edits: Edit[] = [
    { edit: 'write', path: port, value: busid },
    { edit: 'write', path: savedIdentityPath(busid), value: formatIdentity(device) },
    ...recordEdits(inventory, device),
  ];
  const undo: Action[] = [
    { do: 'commit', expect: [], edits: [{ edit: 'clear', path: port, from: busid }] },
    ...restoreActions(busid, drivers),
    { do: 'commit', expect: [], edits: forgetEdits(busid) },
  ];
  const why = `claim port ${target.port} of controller ${target.devid} of domain ${target.domid} for ${busid}`;
  return { why, act: { do: 'commit', expect, edits }, undo };
}

/** What the interface goes back to. A program that holds it by usbfs opens it again; the kernel cannot do that. */
function naturalDriver(id: InterfaceId, driver: DriverName | undefined): [InterfaceId, DriverName][] {
  return driver === undefined || driver === USBBACK || driver === USBFS ? [] : [[id, driver]];
}

/**
 * New records for what has a driver. One for what is on usbback stays; so does one for what has no driver, if it
 * was recorded for this very device: its driver has not taken it back yet. Others are stale, and go.
 */
function recordEdits(inventory: Inventory, device: UsbDevice): Edit[] {
  const { busid } = device;
  const stale = inventory.savedDrivers.find((entry) => entry.busid === busid);
  const known = stale?.identity !== undefined && hasIdentity(device, stale.identity);
  const keep = (id: InterfaceId): boolean => {
    const intf = device.interfaces.find((candidate) => candidate.id === id);
    if (intf?.driver === USBBACK) return known || stale?.identity === undefined;
    return known && intf !== undefined && intf.driver === undefined;
  };
  return [
    ...(stale?.drivers ?? [])
      .filter(({ interface: id }) => !keep(id))
      .map(({ interface: id }): Edit => ({ edit: 'rm', path: savedInterfacePath(busid, id) })),
    ...device.interfaces.flatMap(({ id, driver }) =>
      naturalDriver(id, driver).map(
        ([intf, name]): Edit => ({
          edit: 'write',
          path: `${savedInterfacePath(busid, intf)}/driver_path`,
          value: formatDriverPath(name),
        }),
      ),
    ),
  ];
}

/** What the transaction looks at again: every port there is, and that there are no others. */
function unclaimed(inventory: Inventory, device: UsbDevice, target: Target): UnclaimedFact {
  const { created } = target;
  const own = created ? [{ domid: created.domid, devid: created.devid }] : [];
  return {
    fact: 'unclaimed',
    busid: device.busid,
    domids: inventory.domains.map(({ domid }) => domid),
    controllers: [...inventory.controllers.map(({ domid, devid }) => ({ domid, devid })), ...own],
    ports: hostControllers(inventory).flatMap(({ portsAt, ports, strayPorts }) =>
      portsAt === undefined ? [] : [...ports, ...strayPorts].map(({ port }) => portPath(portsAt, port)),
    ),
  };
}

/**
 * Off the host's drivers, then onto usbback, lowest interface first: a driver of several interfaces
 * (snd-usb-audio) takes back only from the first one on, so whatever is off it can go back at any moment.
 */
export function bindSteps(device: UsbDevice): Step[] {
  const interfaces = device.interfaces.filter(({ driver }) => driver !== USBBACK);
  return [
    ...interfaces
      .filter(({ driver }) => driver !== undefined)
      .map(
        ({ id, driver }): Step => ({
          why: `take ${id} from ${driver}`,
          act: { do: 'take', interface: id, driver: driver!, record: savedInterfacePath(device.busid, id) },
        }),
      ),
    ...interfaces.map(
      ({ id }): Step => ({
        why: `hand ${id} to usbback`,
        act: { do: 'bind', interface: id, driver: USBBACK },
        undo: [{ do: 'unbind', interface: id, driver: USBBACK }],
      }),
    ),
  ];
}
