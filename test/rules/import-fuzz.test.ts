/** Files of other programs and names of devices: any text is read or refused, and what is printed is safe. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatImported, importFile } from '../../src/rules/imports/index.js';
import { parseQubesName } from '../../src/rules/imports/qubes.js';
import { parseUsbGuardLine } from '../../src/rules/imports/usbguard/parse.js';
import { formatUsbGuardRule } from '../../src/rules/imports/usbguard/rule.js';
import { parsePolicy } from '../../src/rules/imports/xapi/parse.js';
import { parseRules } from '../../src/rules/parse.js';
import { UNSAFE } from '../../src/sysfs/index.js';
import { type Dice, fuzz, isEnough } from '../fuzz/fuzz.js';

const USBGUARD = [
  ...[
    'allow',
    'block',
    'reject',
    ' ',
    ' ',
    ' ',
    '\t',
    'id ',
    'serial ',
    'name ',
    'hash ',
    'if ',
    'label ',
    '{ ',
    ' }',
  ],
  ...[
    '1234:abcd',
    '1234:*',
    '*:*',
    '"x"',
    '"\\x00\\xff"',
    '"',
    '\\',
    'with-interface ',
    '08:06:50',
    '03:*:*',
    '#',
  ],
  ...[
    'one-of ',
    'match-all ',
    'equals ',
    'true',
    '!false',
    'random(',
    ')',
    'localtime(',
    '09:00',
    '-',
    '\r',
    '\0',
  ],
  ...[
    '\xc3',
    '\xa9',
    '\xff',
    'parent-hash ',
    `"${'A'.repeat(43)}="`,
    'via-port "1-2"',
    'allowed-matches(',
    ',',
  ],
];

const XAPI = [
  ...[
    'ALLOW',
    'deny',
    ':',
    ':',
    ' ',
    ' ',
    'vid',
    'pid',
    'class',
    'subclass',
    'prot',
    'rel',
    '=',
    '=',
    '046d',
    '03',
  ],
  ...[
    '#',
    '\t',
    '\u00a0',
    '\ufeff',
    '\u0131',
    '\u017f',
    'vid=056a',
    'pid = 0315',
    'class=03',
    'g',
    ',',
    '\u2028',
    '\0',
  ],
];

const QUBES = [
  ...[
    '046d',
    'c52b',
    ':',
    ':',
    'u030101',
    'u0301',
    '?******',
    '*',
    '1-2',
    '1-2_3',
    '1-2.3',
    'SERIAL',
    '\\',
    ' ',
  ],
  ...['\u0000', '\u202e', 'é', '046d:c52b:', 'u******', 'sys-usb'],
];

/** Words that make sense after each other, with a blank between them. */
const USBGUARD_WORDS = [
  'id 1234:*',
  'serial "x"',
  'with-interface 08:*:*',
  'if true',
  'hash { "a" "b" }',
  'name "\\xff"',
];
const XAPI_WORDS = ['vid=056a', 'pid=0315', 'CLASS = 03', 'subclass=01', 'prot=01', 'rel=0100', '# x'];

function sense(dice: Dice, first: readonly string[], words: readonly string[]): string {
  let text = dice.pick(first);
  for (let count = dice.int(4); count > 0; count--) text += ` ${dice.pick(words)}`;
  return text;
}

function soup(dice: Dice, words: readonly string[]): string {
  const count = dice.int(14);
  let text = '';
  for (let at = 0; at < count; at++) text += dice.pick(words);
  return dice.chance(0.01) ? text + dice.text() : text;
}

/** A file of any of these lines is imported or refused, and what comes of it is a file of rules. */
function checkImport(
  format: 'usbguard' | 'xapi',
  lines: readonly string[],
  encoding: BufferEncoding,
): boolean {
  const file = { path: 'x.conf', untrustedContent: Buffer.from(lines.join('\n'), encoding) };
  const imported = importFile(format, file, { guest: 'a "guest"' });
  for (const { message } of [...imported.problems, ...imported.warnings, ...imported.reports])
    assert.equal(message.match(UNSAFE), null, message);
  const text = formatImported(format, file.path, imported);
  assert.equal(text.replaceAll('\n', '').match(UNSAFE), null, text);
  const { rules, problems } = parseRules([{ path: 'ours.rules', text }]);
  assert.deepEqual(problems, [], text);
  assert.equal(rules.length, imported.lines.flatMap((line) => line.rules).length, text);
  if (imported.problems.length > 0) assert.equal(rules.length, 0);
  return imported.problems.length === 0;
}

describe('any text', () => {
  it("is a line of USBGuard's rules, which is printed and read again, or is refused in its line", () => {
    const good: string[] = [];
    return fuzz("lines of USBGuard's rules", 100_000, (dice) => {
      const line = dice.chance(0.1)
        ? sense(dice, ['allow', 'block', 'reject 1234:abcd'], USBGUARD_WORDS)
        : soup(dice, USBGUARD);
      const read = parseUsbGuardLine(line);
      if ('message' in read) {
        assert.ok(read.offset >= 0 && read.offset <= line.length, line);
        assert.equal(read.message.match(UNSAFE), null, line);
        return;
      }
      if (!read.rule) return;
      good.push(line);
      const printed = formatUsbGuardRule(read.rule);
      const again = parseUsbGuardLine(printed);
      assert.ok('rule' in again && again.rule, printed);
      assert.equal(formatUsbGuardRule(again.rule), printed);
    }).then(() => {
      assert.ok(isEnough(good.length, 1_500), `read only ${good.length}`);
      for (let at = 0; at < good.length; at += 25)
        checkImport(
          'usbguard',
          good.slice(at, at + 5).map((line) => line.replaceAll('\n', '')),
          'latin1',
        );
    });
  });

  it("is a line of XAPI's policy, or is refused in its line", () => {
    const good: string[] = [];
    return fuzz("lines of XAPI's policy", 100_000, (dice) => {
      const untrustedContent = dice.chance(0.1)
        ? sense(dice, ['ALLOW:', 'deny :'], XAPI_WORDS)
        : soup(dice, XAPI);
      const { lines, problems, warnings } = parsePolicy({ path: 'x', untrustedContent });
      for (const { message } of problems) assert.equal(message.match(UNSAFE), null, untrustedContent);
      for (const { line, column } of [...problems, ...warnings]) assert.ok(line >= 1 && column >= 1);
      if (problems.length === 0 && lines.some(({ policy }) => policy)) good.push(untrustedContent);
    }).then(() => {
      assert.ok(isEnough(good.length, 500), `read only ${good.length}`);
      for (let at = 0; at < good.length; at += 25) checkImport('xapi', good.slice(at, at + 5), 'utf8');
    });
  });

  it('is a name of Qubes OS, or none', () => {
    let names = 0;
    return fuzz('names of Qubes OS', 100_000, (dice) => {
      const text = dice.chance(0.2) ? `046d:c52b:${soup(dice, QUBES)}:u030101` : soup(dice, QUBES);
      const name = parseQubesName(text);
      if (!name) return;
      names++;
      assert.match(name.identity.ids!, /^[0-9a-f]{4}:[0-9a-f]{4}$/);
      assert.equal(name.identity.serial!.match(UNSAFE), null);
      for (const one of name.identity.interfaces ?? []) assert.match(one, /^..\/..\/..$/);
    }).then(() => assert.ok(isEnough(names, 10_000), `${names}`));
  });

  // Anything quadratic hangs, and the test runner's limit ends it.
  for (const [format, start, repeated, end] of [
    ['usbguard', 'allow name "', 'x', ''],
    ['usbguard', 'allow name "', '\\"', ''],
    ['usbguard', 'allow id one-of { ', '1234:* ', '}'],
    ['usbguard', 'allow label ', '"a" label ', '"b"'],
    ['usbguard', '', 'block ', ''],
    ['usbguard', '', 'block', ''],
    ['usbguard', '', 'block id 1234:abcd\n', ''],
    ['usbguard', '', 'allow id 1234:abcd\nblock serial "x"\n', ''],
    ['usbguard', 'allow if true(', 'x', ''],
    ['usbguard', 'allow if localtime(9:00:', '9', ')'],
    ['usbguard', 'allow if random(0x', 'f', ')'],
    ['usbguard', 'allow', ' ', 'x'],
    ['xapi', 'ALLOW:', ' ', 'x'],
    ['xapi', '', ' ', '\n'],
    ['xapi', 'ALLOW: vid=', '0', ''],
    ['xapi', '', 'DENY:class=03\n', ''],
    ['xapi', '', 'ALLOW:class=03\nDENY:vid=1234\n', ''],
    ['xapi', '#', 'é', ''],
  ] as const)
    it(`of 100 KB is read or refused: ${JSON.stringify([start, repeated, end])}`, () => {
      const room = 100_000 - start.length - end.length;
      const text = start + repeated.repeat(Math.floor(room / Buffer.byteLength(repeated))) + end;
      importFile(format, { path: 'x', untrustedContent: text }, { guest: 'u1' });
    });
});
