/** Generated command lines: an answer or a typed error, one of the exit statuses, nothing that controls a terminal. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  parseControllerSpec,
  parseCount,
  parseDeviceSpec,
  parseDevid,
  parsePort,
  parseType,
} from '../../src/cli/xl/grammar.js';
import { isPvusbError } from '../../src/pvusb/model/errors.js';
import { runPvusb } from '../cli/stage.js';
import { attempt, type Dice, dice, fuzz } from './fuzz.js';

const GRAMMAR_CASES = 20_000;
const XL_CASES = 10_000;
const OWN_CASES = 5_000;

const STATUSES: ReadonlySet<number> = new Set([0, 1, 2, 3, 4, 5, 130]);

/** Nothing listens there: a valid command line ends with 3, or, for xl's, with 1. */
const NOWHERE = { XENSTORED_PATH: '/nonexistent/pvusb/socket', PVUSB_SYSFS: '/nonexistent/pvusb/sys' };

/** Whatever controls a terminal. */
const STEERING = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u;

const KEYS = ['hostbus', 'hostaddr', 'controller', 'port', 'type', 'version', 'ports', 'Port', ''];
const VALUES = ['0', '1', '2', '31', '32', '127', '255', '0x1f', '010', 'pv', 'QUSB', 'auto', 'hostdev'];
const WORDS = ['u1', 'u2', '0', '1', '4-1', '3.11', '46f4:0001', '46f4:0001:LAB0001', 'list', 'attach'];
const OPTIONS = [
  ...['--json', '--dry-run', '--help', '-h', '--fix', '-a', '--all', '-V', '--version', '--', '-', '-v'],
  ...['-c', '-p', '-t', '-u', '-n', '-d', '--devid', '--controller', '--port', '--ports', '--domain'],
  ...['--sysfs-root', '--sysfs-root=', '--no-json', '-x', '--world', '-c=1', '-p1', '--port=7'],
];
const XL = ['usbctrl-attach', 'usbctrl-detach', 'usbdev-attach', 'usbdev-detach', 'usb-list'];
// Not sim and demo, which keep running; not completion, which prints a script.
const OWN = [
  ...['devices', 'list', 'inventory', 'attach', 'detach', 'doctor', 'completion', 'help', 'controller'],
  ...['controller add', 'controller remove', 'controller destroy', 'controller info', 'help controller'],
];

function value(random: Dice): string {
  return random.chance(0.6) ? random.pick(VALUES) : random.text();
}

function pair(random: Dice): string {
  return `${random.pick(KEYS)}=${value(random)}`;
}

/** A word of a command line. */
function word(random: Dice): string {
  const roll = random.next();
  if (roll < 0.35) return pair(random);
  if (roll < 0.6) return random.pick(WORDS);
  if (roll < 0.8) return random.pick(OPTIONS);
  return random.chance(0.2) ? `--${random.text()}` : random.text();
}

function words(random: Dice, most: number): string[] {
  return Array.from({ length: random.int(most + 1) }, () => word(random));
}

async function endsWell(argv: readonly string[]): Promise<void> {
  const { status, stdout, stderr } = await runPvusb(argv, { env: NOWHERE });
  const told = JSON.stringify(argv);
  assert.ok(STATUSES.has(status), `${told}: ${status}`);
  assert.ok(!STEERING.test(`${stdout}${stderr}`.replaceAll('\n', '')), `${told}: ${JSON.stringify(stderr)}`);
  assert.ok(!stderr.includes('(internal)'), `${told}: ${stderr}`);
  assert.ok(status === 0 ? stdout !== '' : stderr !== '', `${told}: ${status} without output`);
}

describe('generated command lines', () => {
  it('are parsed, or refused with a typed error that says what is wrong', () =>
    fuzz('the grammar of xl', GRAMMAR_CASES, (random) => {
      const text = value(random);
      const pairs = Array.from({ length: random.int(5) }, () => pair(random));
      const isRefusal = (error: unknown): boolean =>
        isPvusbError(error, 'invalid-argument') && /^\S.*\.$/s.test(error.message);
      const numbers = [
        attempt(() => parseCount('n', text, { min: 1, max: 31 }), isRefusal),
        attempt(() => parseDevid(text), isRefusal),
        attempt(() => parsePort(text), isRefusal),
      ];
      for (const number of numbers) assert.ok(number === undefined || Number.isSafeInteger(number));
      attempt(() => parseType(text), isRefusal);
      attempt(() => parseControllerSpec(pairs), isRefusal);
      const spec = attempt(() => parseDeviceSpec(pairs), isRefusal);
      if (!spec) return;
      assert.ok(spec.hostbus >= 1 && spec.hostbus <= 255 && spec.hostaddr >= 1 && spec.hostaddr <= 127);
      assert.ok(spec.port === undefined || (spec.port >= 1 && spec.port <= 31));
    }));

  it("of xl's commands end with one of its statuses and control no terminal", () =>
    fuzz("xl's command lines", XL_CASES, (random) => endsWell([random.pick(XL), ...words(random, 6)])));

  it('of our own commands end with one of theirs and control no terminal', () =>
    fuzz('our own command lines', OWN_CASES, (random) => {
      const command = random.chance(0.9) ? random.pick(OWN).split(' ') : [word(random)];
      return endsWell([...command, ...words(random, 5)]);
    }));

  it('are the same for the same number', () => {
    assert.deepEqual(words(dice(7), 6), words(dice(7), 6));
  });
});
