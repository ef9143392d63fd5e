/** XAPI's usb-policy.conf: its verdicts about lines and devices, as XAPI itself gave them (usb_scan.py, 2026-08). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePolicy } from '../../src/rules/imports/xapi/parse.js';
import { policyVerdict } from '../../src/rules/imports/xapi/verdict.js';
import { parseBusid, parseInterfaceId, type UsbDevice } from '../../src/sysfs/index.js';

const parse = (untrustedContent: string | Uint8Array) => parsePolicy({ path: 'p', untrustedContent });

/** What XAPI makes of a line; `stops`: it is read here, and XAPI offers no device because of it. */
const LINES: readonly (readonly [line: string, xapi: 'reads' | 'stops' | 'refuses'])[] = [
  ['allow :', 'reads'],
  ['ALLOW:', 'reads'],
  ['ALLOW:vid=056A pid = 0315', 'reads'],
  ['ALLOW: vid =056apid=0315', 'reads'],
  ['ALLOW: subclass=01', 'reads'],
  ['ALLOW: prot=01', 'reads'],
  ['\u00a0Deny\u2003:\u3000class = 03', 'reads'],
  ['', 'reads'],
  ['  \t', 'reads'],
  ['# comment', 'reads'],
  ['ALLOW: # a:b', 'reads'],
  ['ALLOW:\r', 'reads'],
  ['DENY:class=03\rALLOW:', 'reads'],
  ['  # indented comment', 'stops'],
  ['\ufeffALLOW:', 'stops'],
  ['DENY', 'refuses'],
  ['ALLOW vid=056a', 'refuses'],
  ['REJECT: vid=056a', 'refuses'],
  ['ALLOW::', 'refuses'],
  ['DENY:ALLOW:', 'refuses'],
  ['ALLOW: vid=56a', 'refuses'],
  ['ALLOW: class=3', 'refuses'],
  ['ALLOW: class=003', 'refuses'],
  ['ALLOW: vid=0x056a', 'refuses'],
  ['ALLOW: vid=056g', 'refuses'],
  ['ALLOW: class=03,subclass=01', 'refuses'],
  ['ALLOW: class=03 junk', 'refuses'],
  ['ALLOW: vid=*', 'refuses'],
  ['ALLOW: vid=056a;', 'refuses'],
  ['ALLOW: class=03 class=03', 'refuses'],
  ['ALLOW: vid=056aclass=03', 'refuses'],
  ['ALLOW: cla\u017f\u017f=03', 'refuses'],
];

function device(ids: string, ...classes: string[]): UsbDevice {
  const busid = parseBusid('1-1')!;
  const [vendorId, productId] = ids.split(':') as [string, string];
  return {
    busid,
    kind: 'device',
    bus: 1,
    address: 2,
    vendorId,
    productId,
    deviceClass: '00',
    speedMbps: 480,
    interfaces: classes.map((one, number) => ({
      id: parseInterfaceId(`1-1:1.${number}`)!,
      number,
      classes: one,
    })),
  };
}

const POLICY = `DENY: vid=17e9 # a display
DENY: class=02 # communication
ALLOW: vid=056a pid=0315 class=03 # a tablet
DENY: class=03 subclass=01 prot=01 # boot keyboards
DENY: class=03 subclass=01 prot=02
ALLOW: vid=1234 rel=0100
DENY: vid=1234
ALLOW: class=08
ALLOW: class=ff
`;

/** A device, and the line that denies it, 0 for none of them; undefined when it is allowed. */
const DEVICES: readonly (readonly [device: UsbDevice, line: number | undefined])[] = [
  [device('17e9:0001', '08/06/50'), 1],
  [device('0403:6001', 'ff/ff/ff'), undefined],
  [device('2341:0043', '02/02/01', '0a/00/00'), 2],
  [device('056a:0315', '03/01/02', '03/00/00'), undefined],
  [device('056a:0316', '03/01/02'), 5],
  [device('046d:c31c', '03/01/01', '03/00/00'), 4],
  [device('046d:c31c', '03/00/00'), 0],
  [device('46f4:0001', '08/06/50'), undefined],
  [device('46f4:0001', '08/06/50', '03/01/01'), 4],
  [device('46f4:0001', '08/06/50', '0e/01/00'), 0],
  [{ ...device('1234:0001', '08/06/50'), descriptors: descriptors(0x0100) }, undefined],
  [{ ...device('1234:0001', '08/06/50'), descriptors: descriptors(0x0200) }, 7],
  [device('1234:0001', '08/06/50'), 7],
];

function descriptors(release: number): string {
  const bytes = Buffer.alloc(18);
  bytes.writeUInt16LE(release, 12);
  return bytes.toString('base64');
}

describe("a line of XAPI's policy", () => {
  for (const [line, xapi] of LINES)
    it(`${xapi === 'stops' ? 'stops XAPI, and is read' : `is what XAPI ${xapi}`}: ${JSON.stringify(line)}`, () => {
      const { problems, warnings } = parse(`${line}\n`);
      const isCurrent = warnings.some((warning) => warning.isCurrent);
      assert.equal(problems.length > 0 ? 'refuses' : isCurrent ? 'stops' : 'reads', xapi);
    });

  it('has a place and a reason', () => {
    const text =
      'DENY: class=03\n  permit: vid=1234\nALLOW: é\nALLOW: vid=1234 pid=12\n\nALLOW:class=03 :\n # x\n';
    const { lines, problems, warnings } = parse(text);
    assert.deepEqual(
      [...problems, ...warnings].map(({ line, column, message }) => `${line}:${column}: ${message}`),
      [
        '2:3: A policy begins with ALLOW or DENY.',
        '3:8: "é" is none of class=, subclass=, prot=, vid=, pid=, rel= with hexadecimal digits.',
        '4:17: pid has 4 hexadecimal digits.',
        '6:16: A policy has only one colon.',
        '5:1: XAPI before 25.29 does not read a file with empty lines.',
        '7:2: XAPI does not read this file: a comment that has a line to itself begins in its first column.',
      ],
    );
    assert.deepEqual(
      lines.map(({ line }) => line),
      [1, 7],
    );
  });

  it('is text: XAPI reads no file that is not', () => {
    const { problems, warnings } = parse(Buffer.from('ALLOW: # caf\xe9\n', 'latin1'));
    assert.deepEqual(problems, []);
    assert.match(warnings[0]!.message, /not UTF-8/);
  });
});

describe("XAPI's verdict about a device", () => {
  const { lines } = parse(POLICY);
  for (const [one, line] of DEVICES)
    it(`${one.vendorId}:${one.productId} with ${one.interfaces.map(({ classes }) => classes).join(', ')}`, () => {
      const told = line === 0 ? undefined : line;
      const verdict =
        line === undefined ? { isAllowed: true } : { isAllowed: false, why: 'denied', line: told };
      assert.deepEqual(policyVerdict(lines, one), verdict);
    });

  it('is given about no hub, and about nothing that is not configured', () => {
    const none = { isAllowed: false, why: 'not-offered' };
    assert.deepEqual(policyVerdict(lines, { ...device('46f4:0001', '08/06/50'), kind: 'hub' }), none);
    assert.deepEqual(policyVerdict(lines, device('46f4:0001')), none);
  });

  it('is no, if there are no policies', () => {
    const verdict = policyVerdict([], device('46f4:0001', '08/06/50'));
    assert.deepEqual(verdict, { isAllowed: false, why: 'denied', line: undefined });
  });
});
