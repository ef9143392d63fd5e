/** A sweep: operations, with every call to the host going wrong in every way. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { describeFault, faultsAt, type HostCall, TRIES_ALL } from './faults.js';
import type { Swept } from './operations.js';
import { trial, undisturbed } from './trial.js';

/** Failures told of one operation; the rest is counted. */
const TOLD = 12;

/** Makes a test of each operation; the number of faults is told under `name`. */
export function sweep(name: string, operations: readonly Swept[]): void {
  // Thousands of errors are made and caught here; nobody reads where.
  Error.stackTraceLimit = 0;
  describe('whatever goes wrong at whatever call', () => {
    let tried = 0;
    for (const operation of operations) {
      it(`${operation.name} ends well, or as it says`, async (t) => {
        const calm = await undisturbed(operation);
        const failures: string[] = [];
        let faults = 0;
        const { every, calls } = sample(operation, calm.calls);
        for (const call of calls) {
          for (const fault of faultsAt(call, operation.stage.type)) {
            const wrong = await trial(operation, calm, { at: call.index, fault });
            faults++;
            if (wrong.length === 0) continue;
            failures.push(
              `call ${call.index} (${call.name}), ${describeFault(fault)}:\n    ${wrong.slice(0, 4).join('\n    ')}`,
            );
          }
        }
        tried += faults;
        const which = every === 1 ? '' : ` (one of ${every} tried)`;
        t.diagnostic(`${calm.calls.length} calls${which}, ${faults} faults`);
        const more = failures.length > TOLD ? `\n  and ${failures.length - TOLD} more` : '';
        assert.equal(failures.length, 0, `\n  ${failures.slice(0, TOLD).join('\n  ')}${more}`);
      });
    }
    after(() => {
      process.stdout.write(`${name}: ${tried} faults over ${operations.length} operations\n`);
    });
  });
}

function sample({ every = 1, eachChange = false }: Swept, calls: readonly HostCall[]) {
  if (TRIES_ALL) return { every: 1, calls };
  const chosen = calls.filter(
    ({ index, changes, first }) => index % every === 0 || (eachChange && changes && first),
  );
  return { every, calls: chosen };
}
