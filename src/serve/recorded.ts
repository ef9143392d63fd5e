/** The drivers that lent devices go back to. */
import { systemClock } from '../async/index.js';
import { restore } from '../pvusb/execute/restore.js';
import type { RestoreAction } from '../pvusb/model/plan.js';
import type { Host } from '../pvusb/observe/host.js';
import { observeSavedOf } from '../pvusb/observe/saved-drivers.js';
import { restoreActions } from '../pvusb/plan/detach.js';
import { type DriverName, type InterfaceId, parseBusid } from '../sysfs/index.js';

/** Where devices are given back. */
export type Home = Pick<Host, 'xenstore' | 'sysfs'>;

/** What gives a device that a port names back to the drivers recorded for it; nothing for a virtual device. */
export async function recordedRestores({ xenstore }: Home, untrustedName: string): Promise<RestoreAction[]> {
  const busid = parseBusid(untrustedName);
  if (busid === undefined) return [];
  const [saved] = await observeSavedOf(xenstore, [busid], {});
  const drivers = new Map<InterfaceId, DriverName>();
  for (const { interface: id, driver } of saved?.drivers ?? [])
    if (driver !== undefined) drivers.set(id, driver);
  return restoreActions(drivers, undefined);
}

/**
 * Gives interfaces back, all that can be.
 *
 * @throws {PvusbError} `driver-not-restored`, of the first that could not
 */
export async function giveBack(home: Home, restores: readonly RestoreAction[]): Promise<void> {
  const errors: unknown[] = [];
  for (const action of restores) {
    await restore({ ...home, clock: systemClock }, action, undefined).catch((error: unknown) =>
      errors.push(error),
    );
  }
  if (errors.length > 0) throw errors[0];
}
