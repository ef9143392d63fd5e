/** Generated lines of USBGuard's rules: good ones, bad ones, and those that are nearly one or the other. */
import type { Dice } from '../fuzz/fuzz.js';

const OPERATORS = ['', '', '', 'one-of ', 'all-of ', 'none-of ', 'equals ', 'equals-ordered ', 'match-all '];
const IDS = ['1234:abcd', '1234:ABCD', '1234:*', '*:*', '*:1234', '123:abcd', '0x1234:abcd', '046d:c52b'];
const STRINGS = [
  ...[
    '""',
    '"x"',
    '"a b"',
    '"q\\"q"',
    '"b\\\\b"',
    '"\\x41\\x0a"',
    '"\\n"',
    '"\\065"',
    '"\\\'"',
    '"\\x4"',
    '"a#b"',
  ],
  ...[
    '"\xc3\xa9"',
    '"a\tb"',
    "'x'",
    'x',
    '"open',
    '"\\',
    '"a)b"',
    '"\0"',
    '"\\xFF"',
    '"\xff"',
    '"\\0"',
    '"\r"',
  ],
];
const INTERFACES = ['08:06:50', '0A:0b:0C', '08:06:*', '08:*:*', '*:*:*', '08:*:50', '8:06:50', '03:01:01'];
const TIMES = [
  ...[
    '09:00',
    '9:5',
    '09:75',
    '09:60',
    '31:00',
    '25:00',
    ' 9: 5',
    '09:00xyz',
    '09:00-',
    '-09:00',
    '17:00-09:00',
  ],
  ...[
    '09:00-17:00',
    '09:00:30-17:00:10',
    '09:00:30-17:00:40',
    '00:00:5',
    '1:',
    '10',
    ' 5',
    'x',
    '24:00',
    '2:3:4',
  ],
  ...[
    '9:00:99999999999999999999',
    '67768036191676799',
    '67768036191676800',
    '9\0:00',
    '\t7:7',
    '0:0-0:0-0:0',
  ],
];
const NUMBERS = [
  ...[
    '2',
    '0.5',
    '.5',
    '.',
    '-1',
    '+5zz',
    ' 1',
    'nan',
    'inf',
    '1e400',
    '1e-400',
    '1e-310',
    '0x',
    '0x1p4',
    '0x.8',
  ],
  ...['0x1p-2000', '0x1p2000', '0e9', '0x0p9', '1e', 'e1', '\xe9', '00', '0.0e-999', '1e-307'],
];
const PARAMETERS = [
  '',
  'x',
  'a\\)b',
  '\\x41',
  '\\q',
  '\\7',
  '# c',
  ' id 1234:abcd',
  'id 1234:abcd',
  'if true',
  'name "a"',
];
const CONDITIONS = [
  ...[
    'true',
    'false',
    'random',
    'localtime',
    'rule-applied',
    'rule-evaluated',
    'allowed-matches',
    'nosuch',
    'True',
  ],
  ...['constructor', 'one-of', 'equals'],
];

function condition(dice: Dice): string {
  const name = dice.chance(0.5) ? dice.pick(['true', 'false']) : dice.pick(CONDITIONS);
  const not = dice.chance(0.2) ? dice.pick(['!', '!', '! ', '!!']) : '';
  if (dice.chance(0.4)) return not + name;
  const own = name === 'random' ? NUMBERS : name === 'allowed-matches' ? PARAMETERS : TIMES;
  return `${not}${name}(${dice.pick(dice.chance(0.8) ? own : PARAMETERS)}${dice.chance(0.95) ? ')' : ''}`;
}

const VALUES: Readonly<Record<string, (dice: Dice) => string>> = {
  id: (dice) => (dice.chance(0.6) ? '1234:abcd' : dice.pick(IDS)),
  'with-interface': (dice) => (dice.chance(0.6) ? '08:06:50' : dice.pick(INTERFACES)),
  if: condition,
};

function string(dice: Dice): string {
  return dice.pick(dice.chance(0.7) ? STRINGS.slice(0, 5) : STRINGS);
}

const NAMES = [
  ...[
    'id',
    'name',
    'hash',
    'parent-hash',
    'serial',
    'via-port',
    'with-interface',
    'with-connect-type',
    'label',
    'if',
  ],
];

function attribute(dice: Dice): string {
  const name = dice.chance(0.97)
    ? dice.pick(NAMES)
    : dice.pick(['nosuch', 'ID', 'key', 'with', 'id{', 'names']);
  const value = VALUES[name] ?? string;
  const gap = dice.chance(0.97) ? ' ' : dice.pick(['', '  ', '\t', ',']);
  if (dice.chance(0.5)) return `${name}${gap}${value(dice)}`;
  const values = Array.from({ length: dice.chance(0.95) ? 1 + dice.int(3) : 0 }, () => value(dice));
  const [open, between, close] = dice.chance(0.9)
    ? ['{ ', ' ', ' }']
    : [dice.pick(['{', '{\t', '']), dice.pick(['  ', ', ', '\t', ' ']), dice.pick(['}', '  }', ''])];
  return `${name}${gap}${dice.pick(OPERATORS)}${open}${values.join(between)}${close}`;
}

/** A line, in bytes, each of which is a character. */
export function usbGuardLine(dice: Dice): string {
  if (dice.chance(0.03))
    return dice.pick([' ', '# c', '  # c', '\t', '\ufeff'.slice(1), '#', '#\xff', 'x', '\r']);
  const target = dice.pick(['allow', 'allow', 'block', 'reject', 'match', 'device']);
  const words = [dice.chance(0.98) ? target : dice.pick(['Allow', 'allo', ' allow', 'allowblock', ''])];
  if (dice.chance(0.3)) words.push(dice.chance(0.7) ? '1234:abcd' : dice.pick(IDS));
  const names = new Set<string>();
  for (let count = dice.int(4); count > 0; count--) {
    const one = attribute(dice);
    const [name] = one.split(/[ \t]/);
    // What is said twice is refused, whatever else there is.
    if (names.has(name!) && dice.chance(0.8)) continue;
    names.add(name!);
    words.push(one);
  }
  let line = words.join(dice.chance(0.95) ? ' ' : dice.pick(['\t', '  ', '']));
  if (dice.chance(0.08))
    line += dice.pick([' ', '# c', ' #c', '\t# "', '\r', 'block', 'allow 1111:2222', ',', '\0']);
  if (dice.chance(0.05)) {
    const at = dice.int(line.length + 1);
    line =
      line.slice(0, at) +
      dice.pick(['', '"', '\\', '{', '}', ' ', '#', ')', '\xe9']) +
      line.slice(at + dice.int(2));
  }
  return line.replaceAll('\n', '');
}
