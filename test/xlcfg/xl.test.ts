/** What xl reads is read as xl reads it; what xl does not read is reported. Compared with xl's own reader. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  parseXlCfg,
  unquote,
  XlCfgError,
  type XlCfgValue,
  type XlCfgWarning,
} from '../../src/xlcfg/index.js';
import { type Dice, fuzz, isEnough } from '../fuzz/fuzz.js';
import { kitOrSkip } from '../xenstored/fetch.js';
import { someSettings, written } from './generate.js';
import { type XlReading, xlReads } from './xl-reads.js';

const { kit, skip } = await kitOrSkip();

const NAMES = ['usbctrl', 'usbdev', 'name', 'memory', 'extra', 'disk', 'usbdevice', 'a', 'b', 'a.b', 'b._1'];

/** What is read here. */
interface Reading {
  readonly settings?: ReadonlyMap<string, XlCfgValue>;
  readonly error?: XlCfgError;
  readonly warning?: XlCfgWarning;
}

function readHere(text: Uint8Array): Reading {
  let warning: XlCfgWarning | undefined;
  const onWarning = (one: XlCfgWarning): void => {
    assert.equal(warning, undefined, 'one warning is enough');
    warning = one;
  };
  try {
    const settings = parseXlCfg(text, onWarning);
    return { settings, ...(warning ? { warning } : {}) };
  } catch (error) {
    if (!(error instanceof XlCfgError)) throw error;
    return { error };
  }
}

/** A value as xl gives it, in bytes, each of which is a character. */
function plain(value: XlCfgValue): string | (string | undefined)[] {
  if (value.kind === 'scalar') {
    const text = value.parts.map((part) => unquote(part).untrustedText).join('');
    return Buffer.from(text).toString('latin1');
  }
  return value.items.map((item) => (item.kind === 'list' ? undefined : (plain(item) as string)));
}

/** Fails if a text is read differently from xl without a warning. */
function check(text: Uint8Array, xl: XlReading): void {
  const told = JSON.stringify(Buffer.from(text).toString('latin1'));
  const { settings, error, warning } = readHere(text);
  if (!settings) {
    // xl skips one invalid character if it is the file's last.
    const isTail = !text.includes(0x0a, text.length - 1) && readHere(text.subarray(0, -1)).settings;
    const isStricter = error!.code === 'too-deep' || isTail;
    assert.ok(typeof xl === 'string' || isStricter, `xl reads ${told}, and here: ${error!.code}`);
    return;
  }
  if (typeof xl === 'string') {
    assert.match(warning?.message ?? '', /^xl does not read this file: /, `xl refuses ${told}`);
    return;
  }
  if (warning) {
    assert.match(warning.message, /^xl loses the escape /, `xl reads ${told}`);
    return;
  }
  for (const name of NAMES) {
    const value: XlCfgValue | undefined = settings.get(name);
    // For xl bytes that are not UTF-8 stand for themselves.
    const here: unknown = value && plain(value);
    if (!JSON.stringify(here)?.includes('ï¿½')) assert.deepEqual(here, xl.get(name), `${name} of ${told}`);
  }
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

const SOUP = [
  ...['usbctrl', 'usbdev', 'name', 'a', 'b', 'a.b', 'b._1', '.', '_', '=', '=', '=', '+=', '[', ']', ','],
  ...[';', '\n', '\n', '\n', '\r\n', ' ', '\t', '#', '# x\n', '# \xe9\n', '"x"', "'y'", '""', '"\xe9"'],
  ...['12', '0x1f', '017', '"hostbus=1,hostaddr=2"', '"\\n\\\\"', '"\\x41"', '"\\101"', '"\\d"', "'\\7'"],
  ...[
    '"#"',
    '[1,2]',
    '[\n"x",\n]',
    'a=1\n',
    'b=["x"]\n',
    'a+="z"\n',
    'b+=["y"]\n',
    '\\',
    '"',
    '\0',
    '\f',
    'A',
    '-',
  ],
];

function soup(dice: Dice): Buffer {
  const pieces = Array.from({ length: dice.int(20) }, () => dice.pick(SOUP));
  return latin1(pieces.join(dice.pick(['', '', ' '])));
}

function damaged(dice: Dice): Buffer {
  const bytes = Buffer.from(written(someSettings(dice), dice));
  for (let count = dice.int(3); count > 0 && bytes.length > 0; count--) {
    bytes[dice.int(bytes.length)] = dice.chance(0.5) ? bytes[dice.int(bytes.length)]! : dice.int(256);
  }
  return dice.chance(0.2) ? bytes.subarray(0, dice.int(bytes.length + 1)) : bytes;
}

/** Real-world files, with what xl makes of them. */
const FILES: readonly (readonly [what: string, text: string, xl: 'reads' | 'refuses' | 'loses'])[] = [
  ['a comment in ISO 8859-1', '# cl\xe9 USB r\xe9serv\xe9e\nname = "u1"\n', 'reads'],
  ['a string in ISO 8859-1', 'extra = "caf\xe9"\nname = "u1"\n', 'reads'],
  ['a name with dots', 'vif.default.script="vif-bridge"\nname = "u1"\n', 'reads'],
  ['a comment with a DOS line end', '# x\r\nname = "u1"\n', 'reads'],
  ['a comment in a last line without a newline', 'name = "u1"\n# vim: ft=conf', 'refuses'],
  ['DOS line ends', 'name = "u1"\r\nmemory = 256\r\n', 'refuses'],
  ['a hexadecimal escape', 'name = "u1"\nextra = "\\x41"\n', 'refuses'],
  ['a short octal escape', 'name = "u1"\nextra = "\\7"\n', 'refuses'],
  ['an unknown escape', 'name = "u1"\nextra = "C:\\dir"\n', 'refuses'],
  ['an octal escape', 'name = "u1"\nextra = "a\\101b"\n', 'loses'],
];

describe("one of xl's files", { skip }, () => {
  it('is accepted, and a warning says where xl does not read it as it is meant', async () => {
    const readings = await xlReads(
      kit!,
      FILES.map(([, text]) => latin1(text)),
      NAMES,
    );
    for (const [at, [what, text, xl]] of FILES.entries()) {
      const { settings, warning } = readHere(latin1(text));
      const name = settings?.get('name');
      assert.equal(name && plain(name), 'u1', what);
      assert.equal(typeof readings[at] === 'string', xl === 'refuses', what);
      assert.equal(warning === undefined, xl === 'reads', what);
      if (xl === 'loses') assert.match(warning!.message, /^xl loses the escape/);
      check(latin1(text), readings[at]!);
    }
  });

  for (const [what, make] of Object.entries({
    'tokens in any order': soup,
    'good files with bytes changed': damaged,
  })) {
    it(`is read as xl reads it: ${what}`, async () => {
      const texts: Buffer[] = [];
      await fuzz(what, 4_000, (dice) => void texts.push(make(dice)));
      const readings = await xlReads(kit!, texts, NAMES);
      for (const [at, text] of texts.entries()) check(text, readings[at]!);
      assert.ok(isEnough(readings.filter((one) => typeof one !== 'string').length, 300));
    });
  }
});
