/**
 * Hosts on which several programs, a hostile guest, people plugging devices and random faults are at work at once: a
 * third each with controllers of every type. `SEED=n`.
 */
import { after, describe, it } from 'node:test';
import { Thread } from '../support/thread.js';

const SEEDS = 160;

describe('whatever happens at once', () => {
  const thread = new Thread<number, number>(new URL('./random-thread.js', import.meta.url));
  let operations = 0;
  const only = process.env.SEED;
  const seeds = only === undefined ? Array.from({ length: SEEDS }, (_, seed) => seed) : [Number(only)];
  for (const from of seeds.filter((_, i) => i % 20 === 0)) {
    const some = seeds.slice(seeds.indexOf(from), seeds.indexOf(from) + 20);
    it(`ends with a host that one run of the doctor fixes, seeds ${some[0]} to ${some.at(-1)}`, async () => {
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
