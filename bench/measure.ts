/** Measuring: contenders take turns, so that whatever else the machine does affects all of them; medians are reported. */

/** Something to measure: does the work and returns its time in microseconds. */
export type Contender = () => Promise<number>;

/** Runs each contender once per round, after one round that does not count; returns each one's median. */
export async function interleave<K extends string>(
  rounds: number,
  contenders: Readonly<Record<K, Contender>>,
): Promise<Record<K, number>> {
  const entries = Object.entries(contenders) as [K, Contender][];
  const times = new Map<K, number[]>(entries.map(([name]) => [name, []]));
  for (const [, run] of entries) await run();
  for (let round = 0; round < rounds; round++) {
    // Each round begins with a different one, so that none always follows the same neighbour.
    const shift = round % entries.length;
    for (const [name, run] of [...entries.slice(shift), ...entries.slice(0, shift)]) {
      times.get(name)!.push(await run());
    }
  }
  return Object.fromEntries([...times].map(([name, all]) => [name, median(all)])) as Record<K, number>;
}

/** Times `work` in microseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1000;
}

/** The middle one. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
