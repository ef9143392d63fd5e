/** Generated inputs: every case has a number, which a failure names and `SEED=number` runs alone. */
import { pick, seededRandom } from '../../src/sim/actors/random.js';
import { unlessHung } from '../support/hang.js';

/** Random values for one case. */
export interface Dice {
  /** 0 to 1. */
  next(): number;
  /** 0 to `below` - 1. */
  int(below: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** Any text: correct names, cut ones, doubled ones, terminal escapes, invalid UTF-8, sometimes very long. */
  text(): string;
  bytes(max: number): Buffer;
}

const PIECES = [
  ...[
    '',
    '0',
    '1',
    '-1',
    '07',
    '99999999999',
    '4294967296',
    ' 4',
    '4\n',
    '0x4',
    '1.5',
    '1e3',
    'NaN',
    '\0',
    '\0\0',
  ],
  ...[
    '3-1',
    '3-1.5',
    '3-1:1.0',
    'usb3',
    '3-1.2.3.4.5.6.7',
    '999-999',
    '3-0:1.0',
    '1000-1',
    '../..',
    '.',
    '..',
    '/',
  ],
  ...[
    '/local/domain/0/backend/vusb/1/0',
    '/sys/bus/usb/drivers/usbhid',
    '/sys/bus/usb/drivers/..',
    'n0',
    'r1,b2',
    'x',
  ],
  ...[
    '\u001b[2J\u0007',
    '\u202egnp',
    '\u0085',
    '\ud800',
    '\u{1f600}',
    'ÿ',
    '%s',
    '<b>',
    "'",
    '"',
    '\\',
    '\t',
    '\r\n',
  ],
  ...[
    '046d  Logitech, Inc.',
    '\tc52b  Unifying Receiver',
    'C 09  Hub',
    '# x',
    '46f4:0001',
    '46f4:0001:LAB',
    '3.11',
  ],
];

/** The dice of one case. */
export function dice(seed: number): Dice {
  const next = seededRandom(seed);
  const int = (below: number): number => Math.floor(next() * below);
  const self: Dice = {
    next,
    int,
    chance: (probability) => next() < probability,
    pick: (items) => pick(next, items),
    text() {
      const count = 1 + int(3);
      let text = Array.from({ length: count }, () => self.pick(PIECES)).join('');
      if (self.chance(0.15)) text = text.slice(0, int(text.length + 1));
      if (self.chance(0.1)) text += String.fromCharCode(int(0x10000));
      if (self.chance(0.002)) text = (text || 'A').repeat(100_000 / (text.length || 1));
      return text;
    },
    bytes: (max) => Buffer.from(Array.from({ length: int(max + 1) }, () => int(256))),
  };
  return self;
}

/** `FUZZ=all` runs every case; it takes minutes. Otherwise one in this many is run, of those that have thousands. */
const SHARE = process.env.FUZZ === 'all' ? 1 : 5;
const FEW = 2_000;

/** Whether something has happened as often as it does in a share of thousands of cases; always true with `SEED`. */
export function isEnough(happened: number, often: number): boolean {
  return process.env.SEED !== undefined || happened > often / SHARE;
}

/** Runs a share of `count` cases, or the one of `SEED`. Throws the first failure, with its number. */
export async function fuzz(
  name: string,
  count: number,
  run: (dice: Dice) => void | Promise<void>,
): Promise<void> {
  const only = process.env.SEED;
  const [from, to] =
    only === undefined
      ? [0, count > FEW ? Math.ceil(count / SHARE) : count]
      : [Number(only), Number(only) + 1];
  for (let seed = from; seed < to; seed++) {
    try {
      const running = run(dice(seed));
      if (running !== undefined) await unlessHung('it', running);
    } catch (error) {
      throw new Error(`${name}, SEED=${seed}: ${error instanceof Error ? error.stack : String(error)}`, {
        cause: error,
      });
    }
  }
  process.stdout.write(`fuzz: ${to - from} inputs for ${name}\n`);
}

/** Runs `act`, which may throw what `isExpected` says and nothing else. */
export function attempt<T>(
  act: () => T,
  isExpected: (error: unknown) => boolean = () => false,
): T | undefined {
  try {
    return act();
  } catch (error) {
    if (!isExpected(error)) throw error;
    return undefined;
  }
}

/** The first control character in any text in a plain value, including keys; undefined when there is none. */
export function controlCharacter(value: unknown): string | undefined {
  return /[\u0000-\u001f\u007f-\u009f]/.exec(texts(value).join(''))?.[0];
}

function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [key, ...texts(inner)]);
}
