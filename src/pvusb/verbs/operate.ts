/** How an operation goes: observe, plan, execute; and again if another writer came in between. */
import type { Busid } from '../../sysfs/busid.js';
import { type ExecuteOptions, executeInTurn } from '../execute/execute.js';
import { ConflictError, toPvusbError } from '../model/failure.js';
import type { Controller, Domain, Inventory } from '../model/inventory.js';
import type { Plan } from '../model/plan.js';
import type { Host } from '../observe/host.js';
import { observe } from '../observe/observe.js';
import { isOfQemu } from '../types/types.js';

/** How often an operation looks again when another toolstack changed the host between look and act. */
const ATTEMPTS = 20;

/** Longest pause before it looks again, so that two do not keep colliding. */
const PAUSE_MS = 100;

/** Options of every operation. */
export interface OperationOptions extends ExecuteOptions {
  /** Plans only: nothing is changed. */
  readonly dryRun?: boolean | undefined;
  /** Called with each look that a plan is made on, before that: what it throws ends the operation. */
  readonly onLook?: ((inventory: Inventory) => void) | undefined;
}

/** What an operation did, or would do. */
export interface Outcome<T> {
  readonly plan: Plan;
  readonly result: T;
}

/** What a planner has to know besides xenstore and sysfs. */
interface PlannerNeeds {
  /** The domains whose QEMUs are asked. */
  readonly asks?: (seen: Inventory) => readonly number[];
  /** The domains whose saved configurations are read. */
  readonly saved?: readonly number[];
  /** The devices that may be lent: what the host itself does with them is looked for. */
  readonly lends?: (seen: Inventory) => readonly Busid[];
  /** The rules are read too. */
  readonly rules?: boolean;
  /** Devices with what tells their sockets. */
  readonly details?: boolean;
  /** The quiesced guests are read too. */
  readonly quiesced?: boolean;
  /** A look that was just made: the first plan is made on it. */
  readonly seen?: Inventory;
}

/** Makes a plan from an inventory; run again on a newer one after a conflict. */
export type Planner<T> = (inventory: Inventory) => Outcome<T>;

/**
 * Plans on a look at the host, and carries the plan out. After a conflict it looks and plans again, at most 20 times.
 *
 * @throws {PvusbError} what the planner refuses with, or what failed
 */
export async function operate<T>(
  host: Host,
  options: OperationOptions,
  planner: Planner<T>,
  needs: PlannerNeeds = {},
): Promise<Outcome<T>> {
  const { signal } = options;
  const { seen, lends, ...reads } = needs;
  const attempt = async (left: number, from?: Inventory): Promise<Outcome<T> | undefined> => {
    const inventory = await observe(host, { signal, ...reads, uses: lends, from });
    options.onLook?.(inventory);
    const outcome = planner(inventory);
    if (options.dryRun) return outcome;
    try {
      const isDone = await executeInTurn(host, outcome.plan, { ...options, domains: inventory.domains });
      return isDone ? outcome : undefined;
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      if (left === 0) throw toPvusbError(error, { doing: `trying to ${outcome.plan.title}` });
      return undefined;
    }
  };
  const again = async (): Promise<Outcome<T>> => {
    for (let left = ATTEMPTS - 2; ; left--) {
      const outcome = await attempt(left);
      if (outcome) return outcome;
      await pause(host, ATTEMPTS - left, signal);
    }
  };
  const first = await attempt(ATTEMPTS - 1, seen);
  if (first) return first;
  try {
    return await (host.turns?.run(again, signal) ?? again());
  } catch (error) {
    throw toPvusbError(error, { doing: 'waiting for another program', signal });
  }
}

/** The QEMU of a domain, when it serves a controller of one of these types. */
export function qemuFor(domain: Domain, types: readonly Controller['type'][]): number[] {
  return types.some((type) => isOfQemu({ type })) && domain.alive && domain.deviceModel?.running
    ? [domain.domid]
    : [];
}

async function pause(host: Host, attempt: number, signal: AbortSignal | undefined): Promise<void> {
  const longest = Math.min(PAUSE_MS, 2 ** attempt);
  await host.clock.sleep(longest * Math.random(), signal);
}
