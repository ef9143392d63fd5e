/** Files of rules: what is read, what is refused and where, and that nothing is lost when they are changed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatRule, linesOf, parseRules, type Rule, withoutLine, withRule } from '../../src/rules/index.js';
import { anyText } from '../support/any-text.js';
import { anyRuleLine } from './arbitrary.js';

const UUID = '6F0D9C2E-13B4-4f6e-8d5a-1f0a2b3c4d5e';

/** The rules of one file, without their places. */
function rules(text: string): readonly Omit<Rule, 'place'>[] {
  const { rules: read, problems } = parseRules([{ path: 'a.conf', text }]);
  assert.deepEqual(problems, []);
  return read.map(({ place: _, ...rule }) => rule);
}

/** The only problem of a line, as `column message`. */
function problem(line: string): string {
  const { rules: read, problems } = parseRules([{ path: 'a.conf', text: `# first\n${line}\n` }]);
  assert.deepEqual(read, [], line);
  assert.equal(problems.length, 1, line);
  assert.equal(problems[0]!.line, 2);
  return `${problems[0]!.column} ${problems[0]!.message}`;
}

describe('a rule', () => {
  const plain = { every: false };
  const cases: readonly (readonly [string, Omit<Rule, 'place'>])[] = [
    ['auto u1 id=46F4:0001', { mode: 'auto', guest: 'u1', identity: { ids: '46f4:0001' }, ...plain }],
    [
      'required u1 id=046d:* serial="A \\"B\\" \\\\ #" # c',
      { mode: 'required', guest: 'u1', identity: { ids: '046d:*', serial: 'A "B" \\ #' }, ...plain },
    ],
    [
      '\task "my guest" socket=0000:00:14.0/4.1 controller=0 port=2 follow=0',
      {
        mode: 'ask',
        guest: 'my guest',
        identity: { socket: '0000:00:14.0/4.1' },
        every: false,
        devid: 0,
        port: 2,
        followS: 0,
      },
    ],
    [
      'deny * interface=E0,03/01',
      { mode: 'deny', guest: '*', identity: { interfaces: ['e0', '03/01'] }, ...plain },
    ],
    ['deny *', { mode: 'deny', guest: '*', identity: {}, ...plain }],
    [
      `auto ${UUID} behind=fe9c0000.usb/ss2 every`,
      { mode: 'auto', guest: UUID.toLowerCase(), identity: { behind: 'fe9c0000.usb/ss2' }, every: true },
    ],
    [
      'auto u1 id=1234:5678 serial=""',
      { mode: 'auto', guest: 'u1', identity: { ids: '1234:5678', serial: '' }, ...plain },
    ],
  ];
  for (const [line, rule] of cases) it(`is read: ${line}`, () => assert.deepEqual(rules(line), [rule]));

  it('is read from files of other systems, and from those without a last newline', () => {
    const text = '\ufeffauto u1 id=1234:5678\r\n\r\n# c\r\ndeny * id=1234:0000';
    assert.deepEqual(
      parseRules([{ path: 'a.conf', text }]).rules.map(({ place }) => [place.line, place.column]),
      [
        [1, 1],
        [4, 1],
      ],
    );
  });

  it('may be any that is written: it is read as the same', () => {
    fc.assert(
      fc.property(anyRuleLine, (rule) => {
        assert.deepEqual(rules(formatRule(rule)), [rule]);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('what is no rule is refused, with its place', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['allow u1 id=1234:5678', '1 A rule begins with auto, ask, required, deny, not with "allow".'],
    ['auto', '5 After the mode comes the name or uuid of the guest.'],
    ['auto id=1234:5678', '6 After the mode comes the name or uuid of the guest, not "1234:5678".'],
    ['auto u1', '8 This rule names no device: use id=, serial=, socket=, behind=, interface= or hash=.'],
    ['auto * id=1234:5678', '6 Only "deny" is for every guest (*); a device can go to one guest only.'],
    ['auto u1 1234:5678', '9 "1234:5678" is not a setting: settings have the form id=46f4:0001.'],
    ['auto u1 id=1234:567', '9 "1234:567" is not a value of id: it is like 46f4:0001 or 46f4:*.'],
    ['auto u1 id=*:*', '9 "*:*" is not a value of id: it is like 46f4:0001 or 46f4:*.'],
    ['auto u1 socket=3-1', '9 "3-1" is not a value of socket: it is like 0000:00:14.0/4.1.'],
    ['auto u1 interface=8', '9 "8" is not a value of interface: it is like 08/06/50 or 03/*.'],
    ['auto u1 hash=abc', '9 "abc" is not a value of hash: it is like 44 characters of base64.'],
    ['auto u1 id=1234:5678 id=1234:5679', '22 id is given twice.'],
    ['auto u1 ids=1234:5678', '9 There is no setting "ids".'],
    ['auto u1 id=1234:5678 every=1', '22 There is no setting "every".'],
    ['auto u1 id=1234:5678 port=1', '22 A port needs its controller: add controller= too.'],
    ['auto u1 id=1234:5678 controller=x', '22 controller= takes a number from 0 to 65535, not "x".'],
    ['auto u1 id=1234:5678 follow=3601', '22 follow= takes a number from 0 to 3600, not "3601".'],
    ['deny u1 id=1234:5678 controller=1', '22 controller has no meaning in a deny rule.'],
    [
      'auto u1 serial="open',
      '16 This text is not closed by " in its line, or has a \\ before something other than " or \\.',
    ],
    ['auto u1 serial=', '16 serial= needs a value.'],
    ['auto u1 serial="a"id=1234:5678', '19 A space is missing before this.'],
    ['auto é\u00e9 "x\u202e"', '9 This word has a control character in it.'],
    ['\u0007', '1 This word has a control character in it.'],
  ];
  for (const [line, expected] of cases) it(JSON.stringify(line), () => assert.equal(problem(line), expected));

  it('any text is rules and problems, line by line, and never anything else', () => {
    const words = fc.constantFrom(
      'auto',
      'deny',
      'u1',
      '*',
      'id=1234:5678',
      'serial="',
      '"',
      '\\',
      '#',
      ' ',
      '\t',
      'every',
      'port=1',
      '=',
      '\n',
      '\r\n',
    );
    const text = fc.oneof(
      anyText({ maxLength: 100 }),
      fc.array(words, { maxLength: 20 }).map((all) => all.join(' ')),
    );
    fc.assert(
      fc.property(text, (untrusted) => {
        const { rules: read, problems } = parseRules([{ path: 'a.conf', text: untrusted }]);
        const lines = linesOf(untrusted);
        for (const { line, column } of [...read.map(({ place }) => place), ...problems]) {
          assert.ok(line >= 1 && line <= lines.length);
          assert.ok(column >= 1 && column <= [...lines[line - 1]!].length + 1);
        }
      }),
      { numRuns: 20_000 },
    );
  });
});

describe('a file of rules', () => {
  it('keeps everything else when a rule is added and removed again', () => {
    const line = fc.oneof(
      fc.constant('# a comment'),
      fc.constant(''),
      anyRuleLine.map(formatRule),
      fc.constant('  auto  u1   id=1234:5678  # x'),
    );
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1, maxLength: 8 }),
        fc.constantFrom('\n', '\r\n'),
        anyRuleLine,
        (lines, newline, rule) => {
          const text = `${lines.join(newline)}${newline}`;
          const added = withRule(text, formatRule(rule));
          const at = linesOf(added).indexOf(formatRule(rule), lines.length);
          assert.equal(withoutLine(added, at + 1, formatRule(rule)), text);
        },
      ),
    );
  });

  it('gets a last newline before a rule is added', () => {
    assert.equal(withRule('# x', 'deny *'), '# x\ndeny *\n');
  });

  it('begins with a word to the reader', () => {
    assert.match(withRule('', 'deny *'), /^# Which guest gets which USB device[\s\S]*\n\ndeny \*\n$/);
  });

  it('loses no line that somebody else has changed meanwhile', () => {
    assert.equal(withoutLine('a\nb\n', 2, 'c'), undefined);
    assert.equal(withoutLine('a\nb\n', 9, 'c'), undefined);
    assert.equal(withoutLine('a\nb\n', 1, 'a'), 'b\n');
    assert.equal(withoutLine('a\nb', 2, 'b'), 'a\n');
  });
});
