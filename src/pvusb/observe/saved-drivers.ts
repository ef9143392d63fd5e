/** Reads what is saved about the drivers that lent devices had. */

import { type Busid, parseDriverName } from '../../sysfs/busid.js';
import type { SavedDriver, SavedDrivers } from '../model/inventory.js';
import {
  DRIVER_KEY,
  DRIVER_PATH_KEY,
  decodeBusid,
  decodeInterface,
  driverFolder,
  FORCED_KEY,
  IDENTITY_KEY,
  ORIGIN_KEY,
  SAVED_DRIVERS,
  savedDevicePath,
} from '../model/layout.js';
import type { CallOptions, XenstoreNodes } from './host.js';

/** Three waves: which devices, which of their interfaces, which drivers. */
export async function observeSavedDrivers(
  xenstore: XenstoreNodes,
  call: CallOptions,
): Promise<SavedDrivers[]> {
  const [names] = await xenstore.directoryMany([SAVED_DRIVERS], call);
  return observeSavedOf(xenstore, (names ?? []).flatMap((name) => decodeBusid(name) ?? []).sort(), call);
}

/** Two waves: what is saved for these devices; nothing for one that nothing is saved for. */
export async function observeSavedOf(
  xenstore: XenstoreNodes,
  busids: readonly Busid[],
  call: CallOptions,
): Promise<SavedDrivers[]> {
  const devices = busids.map((busid) => ({ busid, path: savedDevicePath(busid) }));
  const [children, identities, origins, forced] = await Promise.all([
    xenstore.directoryMany(
      devices.map(({ path }) => path),
      call,
    ),
    xenstore.readMany(
      devices.map(({ path }) => `${path}/${IDENTITY_KEY}`),
      call,
    ),
    xenstore.readMany(
      devices.map(({ path }) => `${path}/${ORIGIN_KEY}`),
      call,
    ),
    xenstore.readMany(
      devices.map(({ path }) => `${path}/${FORCED_KEY}`),
      call,
    ),
  ]);
  const interfaces = devices.flatMap(({ busid, path }, i) =>
    (children[i] ?? []).flatMap((name) => {
      const intf = decodeInterface(name);
      return intf === undefined ? [] : { busid, intf, path: `${path}/${name}` };
    }),
  );
  const paths = await xenstore.readMany(
    [DRIVER_PATH_KEY, DRIVER_KEY].flatMap((key) => interfaces.map(({ path }) => `${path}/${key}`)),
    call,
  );
  return devices.flatMap(({ busid }, i) => {
    if (children[i] === undefined) return [];
    return {
      busid,
      ...(identities[i] === undefined ? {} : { identity: identities[i] }),
      ...(origins[i] === undefined ? {} : { origin: origins[i] }),
      ...(forced[i] === undefined ? {} : { forced: forced[i] }),
      drivers: interfaces.flatMap((entry, k) =>
        entry.busid === busid ? savedDriver(entry.intf, paths[k] ?? paths[k + interfaces.length]) : [],
      ),
    };
  });
}

function savedDriver(intf: SavedDriver['interface'], untrustedDriverPath: string | undefined): SavedDriver {
  const folder = driverFolder(untrustedDriverPath ?? '');
  const driver = folder === undefined ? undefined : parseDriverName(folder);
  return driver === undefined ? { interface: intf } : { interface: intf, driver };
}
