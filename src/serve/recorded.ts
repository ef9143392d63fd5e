/** The drivers that lent devices go back to. */
import { observeSavedOf } from '../pvusb/observe/saved-drivers.js';
import { type Binding, interfaceNumber, parseBusid } from '../sysfs/index.js';
import type { XenstoreClient } from '../xenstore/index.js';

/**
 * The drivers that are recorded for what a port names, lowest interface first: those of several interfaces refuse any
 * other order. None for a virtual device.
 */
export async function recordedDrivers(client: XenstoreClient, untrustedName: string): Promise<Binding[]> {
  const busid = parseBusid(untrustedName);
  if (busid === undefined) return [];
  const [saved] = await observeSavedOf(client, [busid], {});
  const bindings = (saved?.drivers ?? []).flatMap(({ interface: id, driver }) =>
    driver === undefined ? [] : { interface: id, driver },
  );
  return bindings.sort((a, b) => interfaceNumber(a.interface) - interfaceNumber(b.interface));
}
