/** Correcting the addresses in a domain's saved configuration. */
import type { Busid } from '../../sysfs/busid.js';
import type { Inventory } from '../model/inventory.js';
import type { Plan } from '../model/plan.js';
import { knownDevices } from '../model/saved-config.js';
import type { Host } from '../observe/host.js';
import { planAddresses } from '../plan/addresses.js';
import { type OperationOptions, type Outcome, operate, type Planner } from './operate.js';

/** An address that a saved configuration now has. */
export interface CorrectedAddress {
  readonly domid: number;
  readonly busid: Busid;
  readonly hostbus: number;
  readonly hostaddr: number;
}

/** The result. */
interface Correction {
  /** False: libxl stores nothing about the domain, or has not written it yet. */
  readonly hasFile: boolean;
  readonly corrected: readonly CorrectedAddress[];
}

/**
 * Makes a domain's saved configuration name its devices by their current addresses. A file that cannot be read is left
 * alone.
 *
 * @throws {PvusbError} `no-such-domain`, `config-locked`, `config-denied`, `config-unusable`, or one of the host's
 */
export function correctAddresses(
  host: Host,
  request: { readonly domid: number; readonly seen?: Inventory },
  options: OperationOptions = {},
): Promise<Outcome<Correction>> {
  const { domid, seen } = request;
  const planner: Planner<Correction> = (inventory) => {
    const saved = inventory.saved.find((settings) => settings.domid === domid);
    const settings = saved ?? { domid, uuid: '', controllers: [], devices: [], problem: 'there is none' };
    const plan = planAddresses(inventory, settings);
    return { plan, result: { hasFile: saved !== undefined, corrected: correctedBy(inventory, domid, plan) } };
  };
  return operate(host, options, planner, { saved: [domid], ...(seen ? { seen } : {}) });
}

function correctedBy(inventory: Inventory, domid: number, plan: Plan): CorrectedAddress[] {
  const known = knownDevices(inventory, domid);
  const edits = plan.steps.flatMap(({ act }) => (act.do === 'commit' ? (act.config?.edits ?? []) : []));
  return edits.flatMap((edit): CorrectedAddress[] => {
    if (edit.edit !== 'add-device') return [];
    const { ctrl, port, hostbus = 0, hostaddr = 0 } = edit.device;
    const busid = known.find(({ device }) => device.ctrl === ctrl && device.port === port)?.busid;
    return busid === undefined ? [] : [{ domid, busid, hostbus, hostaddr }];
  });
}
