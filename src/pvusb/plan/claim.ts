/** The claim of a port for a device, and the checks after it. */
import type { Busid, DriverName, InterfaceId } from '../../sysfs/busid.js';
import type { UsbDevice } from '../../sysfs/device.js';
import { formatIdentityAt } from '../../sysfs/identity.js';
import { USBBACK, USBFS } from '../model/drivers.js';
import { addressOf, isOf, savedFor } from '../model/find.js';
import type { Inventory, SavedDrivers } from '../model/inventory.js';
import {
  DRIVER_PATH_KEY,
  formatDriverPath,
  portPath,
  type RecordKey,
  savedForcedPath,
  savedIdentityPath,
  savedInterfacePath,
  savedOriginPath,
} from '../model/layout.js';
import type { Action, ConfigEdit, Edit, Fact, Step } from '../model/plan.js';
import type { Target } from '../model/request.js';
import { savedDevice, telling } from '../model/saved-config.js';
import { type Named, namePort } from '../model/wording.js';
import { servedType, servedTypeOn } from '../types/types.js';
import { forgetAction, restoreActions } from './detach.js';
import { unclaimedFact } from './facts.js';

/**
 * The claim: the port, the device's identity and the drivers to give it back to, all at once; and the reason, if it had
 * to be forced.
 */
export function claimStep(inventory: Inventory, device: UsbDevice, target: Target, forced?: string): Step {
  const { busid } = device;
  const port = portPath(target.portsAt, target.port);
  const stale = savedFor(inventory, busid);
  const drivers = new Map(device.interfaces.flatMap(({ id, driver }) => naturalDriver(id, driver)));
  const expect: Fact[] = [
    { fact: 'value', path: port, is: '' },
    servedType(target.type).isThere(target.portsAt),
    ...target.keptEmpty.map((path): Fact => ({ fact: 'vacant', path })),
    unclaimedFact(inventory, busid, target.created),
  ];
  const edits: Edit[] = [
    { edit: 'write', path: port, value: busid },
    { edit: 'write', path: savedIdentityPath(busid), value: formatIdentityAt(device) },
    // This ends whatever was giving it back.
    ...(stale?.origin === undefined ? [] : [{ edit: 'rm', path: savedOriginPath(busid) } as const]),
    ...forcedEdits(stale, busid, forced),
    ...recordEdits(stale, device, servedTypeOn(inventory, target.type).recordKey),
  ];
  const saved = savedDevice(target.devid, target.port, device);
  const taken: ConfigEdit = {
    edit: 'remove-device',
    ctrl: target.devid,
    port: target.port,
    only: { hostbus: device.bus, hostaddr: device.address },
  };
  const undo: Action[] = [
    {
      do: 'commit',
      expect: [],
      edits: [{ edit: 'clear', path: port, from: busid }],
      ...telling(inventory, target.domid, [taken], { ifPossible: true }),
    },
    ...servedTypeOn(inventory, target.type).takeBack(target, device),
    ...restoreActions(drivers, addressOf(device)),
    forgetAction(busid, drivers, addressOf(device)),
  ];
  const why = `claim ${namePort(inventory, target)} for ${busid}`;
  const config = telling(inventory, target.domid, [{ edit: 'add-device', device: saved }]);
  return { why, act: { do: 'commit', expect, edits, ...config }, undo };
}

/** The reason of this claim, and none of an earlier one. */
function forcedEdits(stale: SavedDrivers | undefined, busid: Busid, forced: string | undefined): Edit[] {
  const path = savedForcedPath(busid);
  if (forced !== undefined) return [{ edit: 'write', path, value: forced }];
  return stale?.forced === undefined ? [] : [{ edit: 'rm', path }];
}

/**
 * The driver that the interface goes back to. A program that holds it through usbfs opens it again; the kernel cannot
 * do that.
 */
function naturalDriver(id: InterfaceId, driver: DriverName | undefined): [InterfaceId, DriverName][] {
  return driver === undefined || driver === USBBACK || driver === USBFS ? [] : [[id, driver]];
}

/**
 * New records for interfaces that have a driver. A record for one that has none stays if it was made for this very
 * device: its driver has not taken it back yet. Others are stale, and are removed.
 */
function recordEdits(stale: SavedDrivers | undefined, device: UsbDevice, key: RecordKey): Edit[] {
  const { busid } = device;
  const known = stale?.identity !== undefined && isOf(stale, device);
  const keep = (id: InterfaceId): boolean => {
    const intf = device.interfaces.find((candidate) => candidate.id === id);
    return known && intf !== undefined && intf.driver === undefined;
  };
  const write = (id: InterfaceId, driver: DriverName): Edit => ({
    edit: 'write',
    path: `${savedInterfacePath(busid, id)}/${key}`,
    value: formatDriverPath(driver),
  });
  return [
    ...(stale?.drivers ?? [])
      .filter(({ interface: id }) => !keep(id))
      .map(({ interface: id }): Edit => ({ edit: 'rm', path: savedInterfacePath(busid, id) })),
    ...device.interfaces.flatMap(({ id, driver }) =>
      naturalDriver(id, driver).map(([intf, name]): Edit => write(intf, name)),
    ),
    ...(key === DRIVER_PATH_KEY ? [] : (stale?.drivers ?? [])).flatMap(({ interface: id, driver }): Edit[] =>
      keep(id) && driver !== undefined
        ? [{ edit: 'rm', path: savedInterfacePath(busid, id) }, write(id, driver)]
        : [],
    ),
  ];
}

/** Right after the claim: still the device that was asked for, and not another one in its socket. */
export function verifyStep(device: UsbDevice): Step {
  const { busid, bus, address } = device;
  return { why: `check that ${busid} is still the same device`, act: { do: 'verify', busid, bus, address } };
}

/** At the end: xl writes ports without looking, and may have overwritten ours. */
export function lookStep(named: Named, device: UsbDevice, target: Target): Step {
  const { busid } = device;
  const holds: Fact = { fact: 'value', path: portPath(target.portsAt, target.port), is: busid };
  return {
    why: `check that ${namePort(named, target)} holds ${busid}`,
    act: { do: 'commit', expect: [holds], edits: [] },
  };
}
