/** Asking the kernel for the drivers of a device that has none. */
import type { Busid } from '../../sysfs/busid.js';
import { executeInTurn } from '../execute/execute.js';
import { toPvusbError } from '../model/failure.js';
import type { Plan } from '../model/plan.js';
import type { Host } from '../observe/host.js';
import { planRevive } from '../plan/revive.js';
import type { OperationOptions } from './operate.js';

/**
 * Has the kernel find drivers for a device whose interfaces have none. Gives the plan; undefined for a device that has
 * a driver, or is not plugged in.
 *
 * @throws {PvusbError} `driver-not-restored`, or one of the host's
 */
export async function reviveDevice(
  host: Host,
  busid: Busid,
  options: OperationOptions = {},
): Promise<Plan | undefined> {
  const { signal } = options;
  const doing = `looking for drivers of ${busid}`;
  for (;;) {
    const [device] = await host.sysfs.devices({ signal, wanted: [busid] }).catch((error: unknown) => {
      throw toPvusbError(error, { doing, where: { busid }, signal });
    });
    if (!device || device.interfaces.some(({ driver }) => driver !== undefined)) return undefined;
    const plan = planRevive([device]);
    if (options.dryRun || (await executeInTurn(host, plan, options))) return plan;
    // After another operation it may have drivers, or a guest; or it is as it was.
  }
}
