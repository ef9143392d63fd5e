/** Generated USB settings, files around them, and files that are not valid. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatUsbSettings, parseUsbSettings, parseXlCfg, SIZE_MAX } from '../../src/xlcfg/index.js';
import { attempt, type Dice, fuzz, isEnough } from '../fuzz/fuzz.js';
import { someSettings, written } from './generate.js';
import { withoutPlaces } from './places.js';
import { isShowable } from './refused.js';

const SOUP = [
  ...['usbctrl', 'usbdev', 'name', 'a', '=', '=', '+=', '[', ']', ',', ';', '\n', '\r\n', ' ', '\t', '#'],
  ...['"', "'", '\\', '"type=pv"', '"hostbus=1,hostaddr=2"', "'ports=4'", '""', '12', '0x1f', '017'],
  ...['usbctrl=["type=qusb,ports=4"]', 'usbdev=["hostbus=1,hostaddr=2', 'controller=0', 'port=1', '"\\x41"'],
  ...[
    'usbctrl = [',
    '"ports=31"',
    '+',
    '-',
    'A',
    '\0',
    '\r',
    '\ufeff',
    '\u2028',
    '\ud800',
    'é',
    '😀',
    '# x\n',
  ],
];

function soup(dice: Dice): string {
  const pieces = Array.from({ length: dice.int(40) }, () =>
    dice.chance(0.05) ? dice.text() : dice.pick(SOUP),
  );
  return pieces.join(dice.pick(['', '', ' ']));
}

/** The settings in a text that may be invalid, which must then be refused properly. */
function settingsOrRefused(text: string | Uint8Array): ReturnType<typeof parseUsbSettings> | undefined {
  return attempt(() => parseUsbSettings(text), isShowable);
}

/** Settings that were read are printed and read again unchanged, whatever they came from. */
function checkReadAgain(text: string | Uint8Array): boolean {
  const settings = settingsOrRefused(text);
  if (settings === undefined) return false;
  const plain = withoutPlaces(settings);
  assert.deepEqual(withoutPlaces(parseUsbSettings(formatUsbSettings(plain))), plain);
  return true;
}

describe('generated xl.cfg files', () => {
  it('say what the printed settings were', () =>
    fuzz('printed settings', 5_000, (dice) => {
      const settings = someSettings(dice);
      const text = formatUsbSettings(settings);
      assert.deepEqual(withoutPlaces(parseUsbSettings(text)), settings, text);
    }));

  it('say the same with comments, blanks, other settings, other quotes and in several parts', () =>
    fuzz('settings in files', 5_000, (dice) => {
      const settings = someSettings(dice);
      const text = written(settings, dice);
      const read = parseUsbSettings(text);
      assert.deepEqual(withoutPlaces(read), settings, text);
      // Every place is the opening quote of a SPEC.
      const lines = text.split('\n').map((line) => [...line]);
      for (const { position } of [...read.controllers, ...read.devices]) {
        assert.match(lines[position.line - 1]?.[position.column - 1] ?? '', /["']/, text);
      }
    }));

  it('are refused with an XlCfgError, or read: tokens in any order', () => {
    let read = 0;
    return fuzz('soup of tokens', 30_000, (dice) => {
      const text = soup(dice);
      attempt(() => parseXlCfg(text), isShowable);
      if (checkReadAgain(text)) read++;
    }).then(() => assert.ok(isEnough(read, 500), `read only ${read}`));
  });

  it('are refused with an XlCfgError, or read: good files with bytes changed', () =>
    fuzz('damaged files', 15_000, (dice) => {
      const bytes = Buffer.from(written(someSettings(dice), dice));
      for (let count = dice.int(3); count >= 0 && bytes.length > 0; count--) {
        const other = dice.chance(0.5) ? bytes[dice.int(bytes.length)]! : dice.int(256);
        bytes[dice.int(bytes.length)] = other;
      }
      checkReadAgain(dice.chance(0.2) ? bytes.subarray(0, dice.int(bytes.length + 1)) : bytes);
    }));

  it('are refused with an XlCfgError, or read: any bytes', () =>
    fuzz('bytes', 10_000, (dice) => {
      checkReadAgain(dice.bytes(60));
    }));
});

/** What would take long to read if anything took more than linear time: a start, a repeated part, an end. */
const LONG: readonly (readonly [start: string, repeated: string, end: string])[] = [
  ['', '\n', ''],
  ['', ' ', ''],
  ['', '\r', ''],
  ['#', 'é', ''],
  ['', '#\n', ''],
  ['', 'a', ''],
  ['a=', '1', ''],
  ['a="', 'x', ''],
  ['a="', '\\"', ''],
  ['a="', '\\\\', '"'],
  ['a=', '[', ''],
  ['a=[', '\n', ''],
  ['a=[', '1,', ']'],
  ['a=["', '","', '"]'],
  ['', 'a+=[1]\n', ''],
  ['', 'a+="x";', ''],
  ['', 'a=1;', ''],
  ['usbctrl=["', ' ', '"]'],
  ['usbctrl=["', ',', '"]'],
  ['usbctrl=["', ', ', '"]'],
  ['usbctrl=["', 'ports=4,', '"]'],
  ['usbctrl=["', 'ports=4,', 'ports=x"]'],
  ['usbctrl=["', '\\t', 'x"]'],
  ['usbctrl=["', '😀', '"]'],
  ['usbctrl=["ports=1', ' ', 'x"]'],
  ['usbctrl=["ports=', '0', '1"]'],
  ['usbctrl=["ports=0x', 'f', '"]'],
  ['usbctrl=["ports=', '9', '"]'],
  ['usbctrl=["', '=', '"]'],
  ['usbctrl=["type=', 'A', '"]'],
  ['usbctrl=[', '"",', ']'],
  ['', 'usbctrl+=["ports=4"]\n', ''],
  ['usbctrl=["",""]\nusbdev=[', '"hostbus=1,hostaddr=1,controller=0",', ']'],
];

// 10 to 150 ms are usual. Anything quadratic hangs, and the test runner's limit ends it.
describe('a quarter of the largest file', () => {
  for (const [start, repeated, end] of LONG) {
    it(`is read or refused: ${JSON.stringify([start, repeated, end])}`, () => {
      const room = SIZE_MAX / 4 - start.length - end.length;
      const text = start + repeated.repeat(Math.floor(room / Buffer.byteLength(repeated))) + end;
      settingsOrRefused(Buffer.from(text));
    });
  }
});
