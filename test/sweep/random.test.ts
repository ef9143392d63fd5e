/**
 * Hosts on which several programs, a hostile guest, people plugging devices and random faults are at work at once: as
 * many of each kind. `SEED=n` repeats one, `SEEDS=n` runs so many of each kind.
 */
import { after, describe, it } from 'node:test';
import { Thread } from '../support/thread.js';
import { seedsOfEach } from './random-kinds.js';

/** Of each kind. */
const SEEDS = Number(process.env.SEEDS ?? 2);

describe('whatever happens at once', () => {
  const thread = new Thread<number, number>(new URL('./random-thread.js', import.meta.url));
  let operations = 0;
  const only = process.env.SEED;
  const seeds = only === undefined ? seedsOfEach(SEEDS) : [Number(only)];
  for (const from of seeds.filter((_, i) => i % 20 === 0)) {
    const some = seeds.slice(seeds.indexOf(from), seeds.indexOf(from) + 20);
    it(`ends with a host that one run of the doctor fixes, ${some.length} seeds from ${some[0]} on`, async () => {
      for (const seed of some) {
        try {
          operations += await thread.perform(seed);
        } catch (error) {
          throw new Error(`SEED=${seed}: ${error instanceof Error ? error.message : String(error)}`, {
            cause: error,
          });
        }
      }
    });
  }
  after(async () => {
    await thread[Symbol.asyncDispose]();
    process.stdout.write(`random: ${seeds.length} seeds, ${operations} operations\n`);
  });
});
