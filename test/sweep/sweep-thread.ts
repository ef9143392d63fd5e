/** The thread for a sweep: tries the faults of one operation after the other. */
import { answerTasks } from '../support/thread.js';
import { describeFault, faultsAt, type HostCall, TRIES_ALL } from './faults.js';
import { OPERATIONS, QEMU_OPERATIONS, type Swept } from './operations.js';
import { trial, undisturbed } from './trial.js';

/** An operation, by its place in a list. */
export interface SweepTask {
  readonly list: keyof typeof LISTS;
  readonly index: number;
}

/** The results of one operation's faults. */
export interface Swath {
  readonly calls: number;
  /** One in this many calls was tried. */
  readonly every: number;
  readonly faults: number;
  readonly failures: readonly string[];
}

const LISTS = { pv: OPERATIONS, qemu: QEMU_OPERATIONS } as const;

// Thousands of errors are created and caught here; nobody reads their stacks.
Error.stackTraceLimit = 0;

answerTasks(async ({ list, index }: SweepTask): Promise<Swath> => {
  const operation = LISTS[list][index]!;
  const calm = await undisturbed(operation);
  const failures: string[] = [];
  let faults = 0;
  const { every, calls } = sample(operation, calm.calls);
  for (const call of calls) {
    // Half of the faults at one call, the others at the next.
    for (const [at, fault] of faultsAt(call, operation.stage.type).entries()) {
      if (!TRIES_ALL && (call.index + at) % 2 > 0) continue;
      const wrong = await trial(operation, calm, { at: call.index, fault });
      faults++;
      if (wrong.length === 0) continue;
      const sentences = wrong.slice(0, 4).join('\n    ');
      failures.push(`call ${call.index} (${call.name}), ${describeFault(fault)}:\n    ${sentences}`);
    }
  }
  return { calls: calm.calls.length, every, faults, failures };
});

function sample({ every = 1, eachChange = false }: Swept, calls: readonly HostCall[]) {
  if (TRIES_ALL) return { every: 1, calls };
  const chosen = calls.filter(
    ({ index, changes, first }) => index % every === 0 || (eachChange && changes && first),
  );
  return { every, calls: chosen };
}
