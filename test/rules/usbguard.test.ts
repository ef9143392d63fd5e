/** USBGuard's rules: what it reads is read as it reads it, what it refuses is refused. Compared with USBGuard. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseUsbGuard, parseUsbGuardLine } from '../../src/rules/imports/usbguard/parse.js';
import { formatUsbGuardRule } from '../../src/rules/imports/usbguard/rule.js';
import { type Dice, fuzz, isEnough } from '../fuzz/fuzz.js';
import { usbGuardLine } from './usbguard-lines.js';
import { askUsbGuard, readFileWith, usbGuardOrSkip } from './usbguard-reads.js';

const { found: usbGuard, skip } = await usbGuardOrSkip();

/** A line as it is printed here: undefined if it is refused, empty for a comment. */
function readHere(line: string): string | undefined {
  const read = parseUsbGuardLine(line);
  if ('message' in read) return undefined;
  return read.rule ? formatUsbGuardRule(read.rule) : '';
}

/** Text, what is printed; undefined: refused. */
const LINES: readonly (readonly [line: string, printed: string | undefined])[] = [
  ['allow', 'allow'],
  [' allow', undefined],
  ['allow ', undefined],
  [' ', undefined],
  ['allow 1234:abcd', 'allow id 1234:abcd'],
  ['allow name "a" 1234:abcd', undefined],
  ['allow 1234:ABCD', 'allow id 1234:ABCD'],
  ['allow with-interface 0A:0b:0C', 'allow with-interface 0a:0b:0c'],
  ['allow *:*', 'allow id *:*'],
  ['allow *:1234', undefined],
  ['allow 123:abcd', undefined],
  ['allow 0x1234:abcd', undefined],
  ['allow id {1234:abcd}', 'allow id 1234:abcd'],
  ['allow id one-of{ 1234:abcd }', undefined],
  ['allow id equals 1234:abcd', undefined],
  ['allow id { }', undefined],
  ['allow id { 1234:abcd, 1234:0000 }', undefined],
  ['allow id equals { 1234:abcd }', 'allow id 1234:abcd'],
  ['allow id one-of { 1234:abcd }', 'allow id one-of { 1234:abcd }'],
  ['allow serial "x" serial "y"', undefined],
  ['allow label "a" label "b"', 'allow label { "a" "b" }'],
  ['allow serial ""', 'allow serial ""'],
  ['allow serial { "x" "x" }', 'allow serial { "x" "x" }'],
  ['allow name "q\\"q"', 'allow name "q\\"q"'],
  ['allow name "\\x41\\x0a"', 'allow name "A\\x0a"'],
  ['allow name "\\n"', undefined],
  ['allow name "\\065"', undefined],
  ['allow name "\\x4"', undefined],
  ['allow name "\xc3\xa9"', 'allow name "\\xc3\\xa9"'],
  ['allow name "a\tb"', 'allow name "a\\x09b"'],
  ["allow name 'x'", undefined],
  ['allow name "open', undefined],
  ['allow name"a"', undefined],
  ['allow# c', 'allow'],
  ['allow #c', 'allow'],
  ['allow name "a#b"', 'allow name "a#b"'],
  ['allow if true#c', 'allow if true'],
  ['allow if true name "n"', 'allow name "n" if true'],
  ['allow if true if false', undefined],
  ['allow if rule-evaluated(10)', 'allow if rule-applied(10)'],
  ['allow if true(x)', 'allow if true'],
  ['allow if localtime(09:00-17:00)', 'allow if localtime(09:00-17:00)'],
  ['allow if localtime(17:00-09:00)', undefined],
  ['allow if localtime(25:00)', undefined],
  ['allow if localtime(09:00-17:00:00)', undefined],
  ['allow if localtime(09:75)', 'allow if localtime(09:75)'],
  ['allow if allowed-matches(id 1234:abcd)', 'allow if allowed-matches(id 1234:abcd)'],
  ['allow if allowed-matches(name "a)b")', undefined],
  ['allow if random(2)', 'allow if random(2)'],
  ['allow if random()', undefined],
  ['allow if ! true', undefined],
  ['allow if nosuch', undefined],
  ['allowblock', 'block'],
  ['allow 1234:abcdblock 5678:1234', 'block id 5678:1234'],
  ['allow\r', undefined],
  ['# a comment', ''],
  ['  # a comment', ''],
];

describe("a line of USBGuard's rules", () => {
  it('is printed as USBGuard prints it, or refused', () => {
    for (const [line, printed] of LINES) assert.equal(readHere(line), printed, line);
  });

  it('that is refused has a place and a reason', () => {
    const text =
      'allow\n\n# x\nblock name "é" with-interface 08:*:50\nreject serial\nallow 12\nallow name "a\n';
    const { problems } = parseUsbGuard({ path: 'rules.conf', untrustedContent: text });
    assert.deepEqual(
      problems.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`),
      [
        'rules.conf:4:31: USBGuard has no interfaces with a protocol and without a subclass.',
        'rules.conf:5:14: USBGuard wants a blank here, not the end of the line.',
        'rules.conf:6:7: USBGuard wants an id (1234:abcd, 1234:* or *:*), or an attribute (id, serial, with-interface, ...) here, not "12".',
        'rules.conf:7:12: This string is not closed by ", or has a \\ before something other than ", \\ or x and two digits.',
      ],
    );
  });
});

describe('USBGuard', { skip }, () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pvusb-usbguard-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('reads the same lines and prints them in the same way', async () => {
    const printed = await askUsbGuard(
      usbGuard!,
      LINES.map(([line]) => [line]),
    );
    for (const [index, [line, text]] of LINES.entries()) assert.equal(printed[index], text, line);
  });

  it('reads the same generated files, until the same line', async () => {
    // Each file is the lines until the first bad one, as USBGuard stops there.
    const lines: string[] = [];
    await fuzz("lines of USBGuard's rules", 8_000, (dice) => {
      lines.push(usbGuardLine(dice));
    });
    const printed = await askUsbGuard(
      usbGuard!,
      lines.map((line) => [line]),
    );
    let files = 0;
    for (const [index, line] of lines.entries()) {
      // Its library cannot print an empty line, which its readers of files skip.
      if (line === '') continue;
      assert.equal(readHere(line), printed[index], JSON.stringify(line));
      if (printed[index] === undefined) files++;
    }
    assert.ok(isEnough(files, 2_000) && isEnough(lines.length - files, 2_000), `${files}`);
  });

  it('has a program that reads whole files in the same way', async () => {
    const texts: string[] = [];
    await fuzz("files of USBGuard's rules", 5, (dice) => {
      texts.push(wholeFile(dice));
    });
    for (const [index, text] of texts.entries()) {
      const path = join(folder, `${index}.conf`);
      const content = Buffer.from(text, 'latin1');
      await writeFile(path, content);
      const { rules, isRefused } = await readFileWith(usbGuard!, path);
      const { lines, problems } = parseUsbGuard({ path, untrustedContent: content });
      assert.equal(problems.length > 0, isRefused, text);
      const first = problems[0]?.line ?? Number.POSITIVE_INFINITY;
      const here = lines
        .filter(({ line }) => line < first)
        .map(({ rule }) => (rule ? formatUsbGuardRule(rule) : ''));
      assert.deepEqual(here, rules, text);
    }
  });
});

/** Lines that are good, with a bad one among them now and then. */
function wholeFile(dice: Dice): string {
  const lines = Array.from({ length: 20 + dice.int(40) }, () => usbGuardLine(dice)).filter(
    (line) => !line.includes('\0') && (readHere(line) !== undefined || dice.chance(0.01)),
  );
  return `${lines.join('\n')}${dice.pick(['', '\n', '\n\n'])}`;
}
