import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_RULES, stalledEndpoints, stallReason } from '../../src/backend/firewall.js';
import { parseFirewall } from '../../src/backend/firewall-text.js';
import { parseSetup } from '../../src/usb/index.js';

const STORAGE = {
  interface: 0,
  setting: 0,
  class: 8,
  subClass: 6,
  protocol: 0x50,
  endpoints: [
    { address: 0x81, kind: 'bulk', packetBytes: 512 },
    { address: 0x02, kind: 'bulk', packetBytes: 512 },
  ],
} as const;
const STICK = { vendor: 0x46f4, product: 1, interfaces: [STORAGE], possible: [STORAGE] };

const LOADER = { interface: 1, setting: 0, class: 0xfe, subClass: 1, protocol: 1, endpoints: [] };
const PRINTER = { interface: 0, setting: 1, class: 7, subClass: 1, protocol: 2, endpoints: [] };

/** A setup packet: `bmRequestType`, `bRequest`, `wIndex`. */
const setup = (requestType: number, request: number, index: number) =>
  parseSetup(Uint8Array.of(requestType, request, 0, 0, index & 0xff, index >> 8, 8, 0));

describe('rules of the firewall', () => {
  it('say what each line means, and the first that matches decides', () => {
    const text = `# a reader, never a writer
stall device=46f4:0001 endpoint=0x02
stall class=08/06 endpoint=2   # the same for all others

allow device=0403:6001 kind=vendor request=0x93
stall device=0403:* kind=vendor recipient=device value=0x0100
`;
    const { rules, problems } = parseFirewall(text);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      rules.map(({ reason: _, ...rule }) => rule),
      [
        { verdict: 'stall', vendor: 0x46f4, product: 1, endpoint: 2 },
        { verdict: 'stall', class: 8, subClass: 6, endpoint: 2 },
        { verdict: 'allow', vendor: 0x403, product: 0x6001, kind: 'vendor', request: 0x93 },
        { verdict: 'stall', vendor: 0x403, kind: 'vendor', recipient: 'device', value: 0x100 },
      ],
    );
    assert.match(rules[1]!.reason, /line 3 /);
    assert.deepEqual([...stalledEndpoints(rules, STICK).keys()], [2]);
    const allowed = parseFirewall('allow device=46f4:* endpoint=2\nstall class=08 endpoint=2').rules;
    assert.equal(stalledEndpoints(allowed, STICK).size, 0);
    assert.equal(stalledEndpoints(rules, { ...STICK, interfaces: [] }).size, 0);
  });

  it('on endpoints leave requests alone', () => {
    const { rules } = parseFirewall('stall class=08 endpoint=2');
    const reset = parseSetup(Uint8Array.of(0x21, 0xff, 0, 0, 0, 0, 0, 0));
    assert.equal(stallReason(rules, STICK, reset), undefined);
    const { rules: onRequests } = parseFirewall('stall class=08 kind=class');
    assert.match(stallReason(onRequests, STICK, reset)!, /line 1 /);
    assert.equal(stalledEndpoints(onRequests, STICK).size, 0);
  });

  it('on an interface hold for requests that name none: stalls of any, allowances of all', () => {
    const interfaces = [STORAGE, LOADER];
    const composite = { ...STICK, interfaces, possible: interfaces };
    // To the device, to endpoint 0, to an endpoint that is not there, to "other", to a reserved recipient.
    const vague = [
      setup(0x20, 0, 0),
      setup(0x22, 0, 0),
      setup(0x22, 0, 0x82),
      setup(0x23, 0, 1),
      setup(0x24, 0, 1),
    ];
    const { rules } = parseFirewall('allow class=08 kind=class');
    for (const one of [...vague, setup(0x21, 0, 1)]) {
      assert.match(stallReason(DEFAULT_RULES, composite, one) ?? '', /DFU/);
      assert.match(stallReason([...rules, ...DEFAULT_RULES], composite, one) ?? '', /DFU/);
      assert.equal(stallReason(DEFAULT_RULES, STICK, one) !== undefined, one.recipient === 'interface');
    }
    assert.equal(stallReason(DEFAULT_RULES, composite, setup(0x22, 0, 0x81)), undefined, 'of the stick');
    assert.equal(stallReason(DEFAULT_RULES, composite, setup(0x21, 0, 0)), undefined);
    const exception = parseFirewall('allow class=fe/01 kind=class').rules;
    assert.equal(stallReason([...exception, ...DEFAULT_RULES], composite, setup(0x21, 0, 1)), undefined);
  });

  it('hold while the guest has not configured a device, as the host has', () => {
    const bare = { ...STICK, interfaces: [], possible: [STORAGE, LOADER] };
    for (const requestType of [0x20, 0x21, 0x22, 0x23]) {
      assert.notEqual(stallReason(DEFAULT_RULES, bare, setup(requestType, 0, 1)), undefined);
    }
    assert.equal(stallReason(DEFAULT_RULES, bare, setup(0x80, 0, 0)), undefined);
  });

  it('find the interface of a printer where GET_DEVICE_ID has it', () => {
    const printer = { ...STICK, interfaces: [PRINTER], possible: [PRINTER] };
    assert.equal(stallReason([], printer, setup(0xa1, 0, 0x0001)), undefined, 'interface 0, setting 1');
    assert.notEqual(
      stallReason([], printer, setup(0xa1, 1, 0x0001)),
      undefined,
      'GET_PORT_STATUS of interface 1',
    );
    const { rules } = parseFirewall('stall class=07 request=0');
    assert.match(stallReason(rules, printer, setup(0xa1, 0, 0x0001)) ?? '', /line 1 /);
    assert.notEqual(stallReason([], STICK, setup(0xa1, 0, 0x0001)), undefined);
  });

  it('that are not understood are named by their line, and none counts', () => {
    const wrong = [
      ['forbid class=08', /"forbid" is neither "allow" nor "stall"/],
      ['stall', /a rule needs at least one of device, class/],
      ['stall colour=red', /"colour" is not one of device, class/],
      ['stall constructor=1', /"constructor" is not one of/],
      ['stall class=8', /"8" is not a valid value for class/],
      ['stall device=46f4', /"46f4" is not a valid value for device: give VVVV:PPPP or/],
      ['stall request=256', /not a valid value for request/],
      ['stall request=1e1', /not a valid value for request/],
      ['stall endpoint=0', /not a valid value for endpoint/],
      ['stall endpoint=0x90', /not a valid value for endpoint/],
      ['stall kind=class kind=vendor', /kind is given twice/],
      ['stall endpoint=2 kind=class', /endpoint matches transfers, not control requests/],
    ] as const;
    for (const [line, message] of wrong) {
      const { rules, problems } = parseFirewall(`stall class=08 kind=class\n${line}\n`);
      assert.equal(rules.length, 0, line);
      assert.equal(problems.length, 1, line);
      assert.equal(problems[0]!.line, 2);
      assert.match(problems[0]!.message, message);
    }
  });

  it('never throw, and each line is a rule, a problem or nothing', () => {
    const word = fc.oneof(
      fc.constantFrom('stall', 'allow', 'class=08', 'endpoint=0x81', 'device=1234:*', '#', '=', ''),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(fc.array(word)), (lines) => {
        const text = lines.map((words) => words.join(' ')).join('\n');
        const { rules, problems } = parseFirewall(text);
        assert.ok(rules.length === 0 || problems.length === 0);
        assert.ok(rules.length + problems.length <= text.split(/\r?\n/).length);
      }),
    );
  });
});
