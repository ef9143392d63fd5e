/** Rules made of other programs' files give no more than those programs allow. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from '../../src/rules/decide.js';
import { importFile } from '../../src/rules/imports/index.js';
import { parseUsbGuard } from '../../src/rules/imports/usbguard/parse.js';
import { formatUsbGuardRule } from '../../src/rules/imports/usbguard/rule.js';
import { parsePolicy } from '../../src/rules/imports/xapi/parse.js';
import { policyVerdict } from '../../src/rules/imports/xapi/verdict.js';
import { mismatch } from '../../src/rules/match.js';
import { parseRules } from '../../src/rules/parse.js';
import type { Rule } from '../../src/rules/rule.js';
import { type Dice, fuzz } from '../fuzz/fuzz.js';
import { firstTarget, isAbout } from './usbguard-oracle.js';
import { askUsbGuard, type Question, usbGuardOrSkip } from './usbguard-reads.js';
import { CLASSES, HASHES, IDS, SERIALS, type SeenDevice, someDevice } from './worlds.js';

const { found: usbGuard, skip } = await usbGuardOrSkip();

const OPERATORS = [
  'one-of',
  'one-of',
  'all-of',
  'match-all',
  'match-all',
  'none-of',
  'equals',
  'equals-ordered',
];

function values(dice: Dice, some: readonly string[], text: boolean): string {
  const one = (): string => (text ? `"${dice.pick(some)}"` : dice.pick(some));
  if (dice.chance(0.5)) return one();
  return `${dice.pick(OPERATORS)} { ${Array.from({ length: 1 + dice.int(2) }, one).join(' ')} }`;
}

const PATTERNS = [...CLASSES.map((one) => one.replaceAll('/', ':')), '03:*:*', '08:*:*', '03:01:*'];

const ATTRIBUTES: Readonly<Record<string, (dice: Dice) => string>> = {
  id: (dice) => values(dice, [...IDS, '046d:*', '1234:*', '*:*', '1234:ABCD'], false),
  serial: (dice) => values(dice, SERIALS, true),
  hash: (dice) => values(dice, [...HASHES, 'no hash'], true),
  'with-interface': (dice) => values(dice, PATTERNS, false),
  name: (dice) => values(dice, ['Stick', 'Mouse'], true),
  'via-port': (dice) => values(dice, ['1-1', '1-2'], true),
  if: (dice) => dice.pick(['true', '!true', 'one-of { false true }', 'none-of { false false }']),
  label: () => '"mine"',
};

function usbGuardRule(dice: Dice): string {
  const target = dice.pick(['allow', 'allow', 'allow', 'block', 'block', 'reject']);
  const likely = ['id', 'id', 'serial', 'with-interface', 'with-interface', 'hash'];
  const count = dice.pick([0, 1, 1, 1, 1, 2, 2, 3]);
  const names = new Set(
    Array.from({ length: count }, () => dice.pick(dice.chance(0.9) ? likely : Object.keys(ATTRIBUTES))),
  );
  return [target, ...[...names].map((name) => `${name} ${ATTRIBUTES[name]!(dice)}`)].join(' ');
}

const POLICY_VALUES: Readonly<Record<string, readonly string[]>> = {
  class: ['03', '08', '02', '08'],
  subclass: ['01', '06'],
  prot: ['01', '02', '50'],
  vid: ['046d', '1234'],
  pid: ['c52b', 'ABCD'],
  rel: ['0100'],
};

const KEYS = [['class'], ['class', 'subclass'], ['class', 'subclass', 'prot'], ['vid'], ['vid', 'pid'], []];

function policy(dice: Dice): string {
  const keys = new Set(dice.pick(KEYS));
  if (dice.chance(0.3)) for (const key of dice.pick(KEYS)) keys.add(key);
  if (dice.chance(0.05)) keys.add(dice.pick(Object.keys(POLICY_VALUES)));
  const said = [...keys].map((key) => `${key}=${dice.pick(POLICY_VALUES[key]!)}`);
  return `${dice.pick(['ALLOW', 'deny'])}: ${said.join(' ')}`;
}

interface Case {
  readonly text: string;
  readonly rules: readonly Rule[];
  readonly isExpressed: boolean;
  readonly reported: ReadonlySet<number>;
}

function imported(format: 'usbguard' | 'xapi', text: string, guest?: string): Case {
  const file = { path: 'theirs.conf', untrustedContent: text };
  const { lines, reports, problems } = importFile(format, file, { guest, mode: 'auto' });
  assert.deepEqual(problems, [], text);
  const ours = lines.flatMap(({ rules }) => rules.map(({ rule }) => rule)).join('\n');
  const parsed = parseRules([{ path: 'ours.rules', text: ours }]);
  assert.deepEqual(parsed.problems, [], ours);
  const missing = reports.filter(({ isExpressed }) => !isExpressed);
  return {
    text: `${text}\n\n${ours}`,
    rules: parsed.rules,
    isExpressed: missing.length === 0,
    reported: new Set(missing.map(({ line }) => line)),
  };
}

/** The devices that the rules give to the guest. */
function given(rules: readonly Rule[], devices: readonly SeenDevice[]): ReadonlySet<string> {
  const decisions = decide(
    rules,
    devices.map(({ device }) => device),
  );
  return new Set(
    decisions.filter(({ verdict }) => verdict.verdict === 'assigned').map(({ device }) => device.busid),
  );
}

function isDenied(rules: readonly Rule[], { device }: SeenDevice): boolean {
  const subject = { device, socket: '' };
  return rules.some((rule) => rule.mode === 'deny' && mismatch(rule, subject) === undefined);
}

describe("rules made of USBGuard's", () => {
  it('give nothing that USBGuard blocks, and all that it allows if they say everything', async () => {
    let expressed = 0;
    let gifts = 0;
    await fuzz("USBGuard's rules and devices", 1_200, (dice) => {
      const text = Array.from({ length: 1 + dice.int(5) }, () => usbGuardRule(dice)).join('\n');
      const theirs = parseUsbGuard({ path: '', untrustedContent: text }).lines.flatMap(
        ({ rule }) => rule ?? [],
      );
      const devices = Array.from({ length: 4 }, (_, index) => someDevice(dice, index));
      const ours = imported('usbguard', text, 'u1');
      const gets = given(ours.rules, devices);
      if (ours.isExpressed) expressed++;
      gifts += gets.size;
      for (const one of devices) {
        const isAllowed = firstTarget(theirs, one.seen) === 'allow';
        const isGiven = gets.has(one.device.busid);
        // Whatever is given is allowed; if all could be said, whatever is allowed is given.
        if (isGiven ? isAllowed : !isAllowed || !ours.isExpressed) continue;
        const what = isGiven ? 'given, and USBGuard blocks it' : 'USBGuard allows it, and it is not given';
        assert.fail(`${what}: ${ours.text}\n${JSON.stringify(one.seen)}`);
      }
    });
    assert.ok(process.env.SEED !== undefined || (expressed > 100 && gifts > 150), `${expressed} ${gifts}`);
  });

  it('deny nothing that USBGuard allows, unless that is reported', () =>
    fuzz("USBGuard's denials", 800, (dice) => {
      const text = Array.from({ length: 1 + dice.int(4) }, () => usbGuardRule(dice)).join('\n');
      const theirs = parseUsbGuard({ path: '', untrustedContent: text }).lines.flatMap(
        ({ rule }) => rule ?? [],
      );
      const { rules, reported, text: told } = imported('usbguard', text);
      assert.ok(rules.every(({ mode }) => mode === 'deny'));
      for (let index = 0; index < 4; index++) {
        const one = someDevice(dice, index);
        if (!isDenied(rules, one)) continue;
        const first = theirs.findIndex((rule) => firstTarget([rule], one.seen) !== undefined);
        if (theirs[first]?.target !== 'allow') continue;
        if (!reported.has(first + 1)) assert.fail(`${told}\n${JSON.stringify(one.seen)}`);
      }
    }));

  it('are about the devices that USBGuard says', { skip }, async () => {
    const questions: Question[] = [];
    const here: boolean[] = [];
    await fuzz("USBGuard's rules beside the oracle", 1_000, (dice) => {
      const text = usbGuardRule(dice);
      const [line] = parseUsbGuard({ path: '', untrustedContent: text }).lines;
      const { seen } = someDevice(dice, dice.int(3));
      const attributes = new Map(
        Object.entries(seen).map(([name, all]) => [name, { operator: 'equals', values: all! }]),
      ) as never;
      questions.push([text, formatUsbGuardRule({ target: 'device', attributes })]);
      here.push(isAbout(line!.rule!, seen));
    });
    const there = await askUsbGuard(usbGuard!, questions);
    for (const [index, question] of questions.entries())
      assert.equal(here[index], there[index], question.join('\n'));
    assert.ok(process.env.SEED !== undefined || here.filter(Boolean).length > 100);
  });
});

describe("rules made of XAPI's policies", () => {
  it('give nothing that XAPI denies', async () => {
    let gifts = 0;
    await fuzz("XAPI's policies and devices", 800, (dice) => {
      const text = Array.from({ length: 1 + dice.int(5) }, () => policy(dice)).join('\n');
      const { lines } = parsePolicy({ path: '', untrustedContent: text });
      const devices = Array.from({ length: 4 }, (_, index) => someDevice(dice, index));
      const ours = imported('xapi', text, 'u1');
      const gets = given(ours.rules, devices);
      gifts += gets.size;
      for (const { device } of devices) {
        if (!gets.has(device.busid)) continue;
        if (!policyVerdict(lines, device).isAllowed) assert.fail(`${ours.text}\n${JSON.stringify(device)}`);
      }
    });
    assert.ok(process.env.SEED !== undefined || gifts > 60, `${gifts}`);
  });
});
