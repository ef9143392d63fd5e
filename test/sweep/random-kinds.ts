/** The kinds of hosts on which everything happens at once, and the seeds of each. */
import type { ControllerType } from '../../src/pvusb/index.js';
import { seededRandom } from '../../src/sim/actors/random.js';

const TYPES: readonly ControllerType[] = ['pv', 'qusb', 'devicemodel'];

/** What libxl has about guest 2: it may not have built it; a file may be broken, and must stay as it is. */
const FILES_OF_TWO = ['whole', 'none', 'whole', 'broken', 'whole'] as const;

/** What a seed decides first. */
export interface Kind {
  /** Of the controllers. */
  readonly type: ControllerType;
  readonly fileOfTwo: (typeof FILES_OF_TWO)[number];
  /** Another toolstack is at work. */
  readonly withRival: boolean;
  /** Some of what the host is asked goes wrong. */
  readonly withBadLuck: boolean;
}

/** So many kinds there are. */
const KINDS = TYPES.length * new Set(FILES_OF_TWO).size * 2 * 2;

/** The kind of a seed's host; takes the first two numbers of its `random` ones. */
export function kindOf(seed: number, random: () => number = seededRandom(seed)): Kind {
  return {
    type: TYPES[seed % TYPES.length]!,
    fileOfTwo: FILES_OF_TWO[seed % FILES_OF_TWO.length]!,
    withRival: random() < 0.4,
    withBadLuck: random() < 0.6,
  };
}

/** The first seeds of each kind: as many of all, however rare a kind is. */
export function seedsOfEach(count: number): number[] {
  const found = new Map<string, number>();
  const seeds: number[] = [];
  for (let seed = 0; seeds.length < KINDS * count; seed++) {
    const kind = JSON.stringify(kindOf(seed));
    const before = found.get(kind) ?? 0;
    if (before === count) continue;
    found.set(kind, before + 1);
    seeds.push(seed);
  }
  return seeds;
}
