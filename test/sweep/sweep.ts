/** A sweep: operations, with every call to the host going wrong in every way. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { Thread } from '../support/thread.js';
import type { Swept } from './operations.js';
import type { Swath, SweepTask } from './sweep-thread.js';

/** Failures reported per operation; the rest are counted. */
const TOLD = 12;

/** Makes a test of each operation in a list; the number of faults is reported under `name`. */
export function sweep(name: string, list: SweepTask['list'], operations: readonly Swept[]): void {
  describe('anything that goes wrong at any call', () => {
    const thread = new Thread<SweepTask, Swath>(new URL('./sweep-thread.js', import.meta.url));
    let tried = 0;
    for (const [index, operation] of operations.entries()) {
      it(`${operation.name} ends well, or as it promises`, async (t) => {
        const { calls, every, faults, failures } = await thread.perform({ list, index });
        tried += faults;
        const which = every === 1 ? '' : ` (one of ${every} tried)`;
        t.diagnostic(`${calls} calls${which}, ${faults} faults`);
        const more = failures.length > TOLD ? `\n  and ${failures.length - TOLD} more` : '';
        assert.equal(failures.length, 0, `\n  ${failures.slice(0, TOLD).join('\n  ')}${more}`);
      });
    }
    after(async () => {
      await thread[Symbol.asyncDispose]();
      process.stdout.write(`${name}: ${tried} faults over ${operations.length} operations\n`);
    });
  });
}
