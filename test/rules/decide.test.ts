/** Which guest each device is for: a table of cases, laws that hold for all rules, and a second reading of them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decide, denial, EVERY_GUEST, parseRules, type Rule } from '../../src/rules/index.js';
import type { UsbDevice } from '../../src/sysfs/index.js';
import { anyDevices, anyRules } from './arbitrary.js';
import { oracle, rankOf } from './oracle.js';

/** A device's verdict in one word: the guest, or why it is nobody's. */
function verdicts(
  rules: readonly Rule[],
  devices: readonly UsbDevice[],
  guests: { name: string; uuid?: string }[] = [],
) {
  return Object.fromEntries(
    decide(rules, devices, guests).map(({ device, verdict }) => [
      device.busid,
      verdict.verdict === 'assigned' ? verdict.rule.guest : `(${verdict.verdict})`,
    ]),
  );
}

function rulesIn(text: string): readonly Rule[] {
  const { rules, problems } = parseRules([{ path: 'a.conf', text }]);
  assert.deepEqual(problems, []);
  return rules;
}

function device(busid: string, text: string): UsbDevice {
  const [ids, serial, ...classes] = text.split(' ');
  return {
    busid: busid as UsbDevice['busid'],
    kind: 'device',
    bus: Number(busid[0]),
    address: 2,
    vendorId: ids!.slice(0, 4),
    productId: ids!.slice(5),
    deviceClass: '00',
    speedMbps: 480,
    ...(serial === '-' ? {} : { serial: serial! }),
    interfaces: classes.map((one, number) => ({ id: `${busid}:1.${number}` as never, number, classes: one })),
  };
}

const HUB: UsbDevice = {
  ...device('1-0', '1d6b:0002 0000:00:14.0'),
  busid: 'usb1' as never,
  kind: 'root-hub',
};
const STICK = device('1-1', '46f4:0001 S1 08/06/50');
const TWIN = device('1-2', '46f4:0001 - 08/06/50');
const OTHER_TWIN = device('1-3', '46f4:0001 - 08/06/50');
/** A stick that is a keyboard too. */
const SPY = device('1-4', '46f4:0001 S9 08/06/50 03/01/01');

describe('a decision', () => {
  const cases: readonly {
    readonly name: string;
    readonly rules: string;
    readonly devices: readonly UsbDevice[];
    readonly is: Readonly<Record<string, string>>;
  }[] = [
    { name: 'no rule', rules: '', devices: [STICK], is: { '1-1': '(none)' } },
    {
      name: 'the serial number beats the socket',
      rules: 'auto u1 socket=0000:00:14.0/1\nauto u2 id=46f4:0001 serial=S1',
      devices: [STICK],
      is: { '1-1': 'u2' },
    },
    {
      name: 'the socket beats the product',
      rules: 'auto u1 id=46f4:0001\nauto u2 socket=0000:00:14.0/1',
      devices: [STICK],
      is: { '1-1': 'u2' },
    },
    {
      name: 'the product beats the vendor and the interfaces',
      rules: 'auto u1 interface=08/06/50\nauto u2 id=46f4:*\nauto u3 id=46f4:0001',
      devices: [STICK],
      is: { '1-1': 'u3' },
    },
    {
      name: 'two that are equally specific',
      rules: 'auto u1 id=46f4:0001\nauto u2 id=46f4:0001',
      devices: [STICK],
      is: { '1-1': '(tied)' },
    },
    {
      name: 'two that say the same',
      rules: 'auto u1 id=46f4:0001\nauto u1 id=46f4:0001',
      devices: [STICK],
      is: { '1-1': 'u1' },
    },
    {
      name: 'two ports for one device',
      rules: 'auto u1 id=46f4:0001 controller=0 port=1\nauto u1 id=46f4:0001 controller=0 port=2',
      devices: [STICK],
      is: { '1-1': '(tied)' },
    },
    {
      name: 'two alike',
      rules: 'auto u1 id=46f4:0001',
      devices: [TWIN, OTHER_TWIN],
      is: { '1-2': '(ambiguous)', '1-3': '(ambiguous)' },
    },
    {
      name: 'two alike, every one of them',
      rules: 'auto u1 id=46f4:0001 every',
      devices: [TWIN, OTHER_TWIN],
      is: { '1-2': 'u1', '1-3': 'u1' },
    },
    {
      name: 'two alike, told apart by their sockets',
      rules: 'auto u1 id=46f4:0001\nauto u2 socket=0000:00:14.0/2',
      devices: [TWIN, OTHER_TWIN],
      is: { '1-2': 'u2', '1-3': 'u1' },
    },
    {
      name: 'all of a class',
      rules: 'auto u1 interface=08',
      devices: [TWIN, OTHER_TWIN],
      is: { '1-2': 'u1', '1-3': 'u1' },
    },
    {
      name: 'a stick that is a keyboard too is not given as a stick',
      rules: 'auto u1 interface=08',
      devices: [SPY],
      is: { '1-4': '(none)' },
    },
    {
      name: 'and is denied as a keyboard',
      rules: 'auto u1 id=46f4:*\ndeny * interface=03',
      devices: [SPY],
      is: { '1-4': 'u1' },
    },
    {
      name: 'a denial that is as specific',
      rules: 'auto u1 id=46f4:0001\ndeny * id=46f4:0001',
      devices: [STICK],
      is: { '1-1': '(denied)' },
    },
    {
      name: 'a denial for another guest',
      rules: 'auto u1 id=46f4:0001\ndeny u2 id=46f4:0001',
      devices: [STICK],
      is: { '1-1': 'u1' },
    },
    {
      name: 'a denial that is less specific',
      rules: 'auto u1 id=46f4:0001\ndeny *',
      devices: [STICK],
      is: { '1-1': 'u1' },
    },
    { name: 'only a denial', rules: 'deny *', devices: [STICK], is: { '1-1': '(denied)' } },
    {
      name: 'the guest that remains',
      rules: 'auto u1 id=46f4:0001 serial=S1\ndeny u1 id=46f4:0001 serial=S1\nauto u2 id=46f4:0001',
      devices: [STICK],
      is: { '1-1': 'u2' },
    },
    {
      name: 'without a serial number',
      rules: 'auto u1 id=46f4:0001 serial=""',
      devices: [STICK, TWIN],
      is: { '1-1': '(none)', '1-2': 'u1' },
    },
  ];
  for (const { name, rules, devices, is } of cases)
    it(name, () => assert.deepEqual(verdicts(rulesIn(rules), [HUB, ...devices]), is));

  it('a guest is the same by its name and by its uuid', () => {
    const uuid = '6f0d9c2e-13b4-4f6e-8d5a-1f0a2b3c4d5e';
    const rules = rulesIn(`auto u1 id=46f4:0001\nauto ${uuid} id=46f4:0001`);
    assert.deepEqual(verdicts(rules, [HUB, STICK], [{ name: 'u1', uuid }]), { '1-1': 'u1' });
    assert.deepEqual(verdicts(rules, [HUB, STICK]), { '1-1': '(tied)' });
  });

  it('a guest may not have what is denied to it, unless a more specific rule gives it', () => {
    const may = (text: string, name: string): boolean => {
      const [decision] = decide(rulesIn(text), [HUB, STICK]);
      return denial(decision!, { name }) === undefined;
    };
    assert.equal(may('', 'u1'), true);
    assert.equal(may('deny *', 'u1'), false);
    assert.equal(may('deny u2', 'u1'), true);
    assert.equal(may('deny *\nask u1 id=46f4:0001', 'u1'), true);
    assert.equal(may('deny *\nask u1 id=46f4:0001', 'u2'), false);
    assert.equal(may('deny * id=46f4:0001\nask u1 id=46f4:0001', 'u1'), false);
  });
});

describe('for any rules and devices', () => {
  it('a second, slower reading decides the same', () => {
    fc.assert(
      fc.property(anyRules, anyDevices, (rules, devices) => {
        assert.deepEqual(verdicts(rules, devices), oracle(rules, devices));
      }),
      { numRuns: Number(process.env.WORLDS ?? 5_000) },
    );
  });

  it('a rule about other devices changes nothing', () => {
    fc.assert(
      fc.property(anyRules, anyDevices, (rules, devices) => {
        const more = rulesIn('auto u9 id=9999:9999\ndeny * socket=0000:00:99.0/9\nauto u9 serial=nobody');
        assert.deepEqual(verdicts([...more, ...rules], devices), verdicts(rules, devices));
      }),
    );
  });

  it('the order of the rules does not matter', () => {
    fc.assert(
      fc.property(anyRules, anyDevices, fc.array(fc.nat({ max: 5 })), (rules, devices, order) => {
        const shuffled = [...rules];
        for (const at of order) if (at < shuffled.length) shuffled.push(...shuffled.splice(at, 1));
        assert.deepEqual(verdicts(shuffled, devices), verdicts(rules, devices));
      }),
    );
  });

  it('a denial is overridden by nothing that is less specific or equally specific', () => {
    fc.assert(
      fc.property(anyRules, anyDevices, (rules, devices) => {
        for (const { matching, verdict } of decide(rules, devices)) {
          if (verdict.verdict !== 'assigned') continue;
          const { rule } = verdict;
          const denials = matching.filter(
            ({ mode, guest }) => mode === 'deny' && (guest === EVERY_GUEST || guest === rule.guest),
          );
          for (const deny of denials)
            assert.ok(matching.indexOf(rule) < matching.indexOf(deny) && rankOf(rule) !== rankOf(deny));
        }
      }),
      { numRuns: 500 },
    );
  });
});
