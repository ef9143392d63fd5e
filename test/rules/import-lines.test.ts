/** What single lines of other programs become, and what is said about them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatImported, type ImportFormat, importFile, isGuestName } from '../../src/rules/imports/index.js';

interface Case {
  readonly what: string;
  readonly text: string;
  readonly guest?: string;
  readonly rules: readonly string[];
  /** `!` before what was not expressed. */
  readonly said?: readonly string[];
}

const H = `${'A'.repeat(43)}=`;

const USBGUARD: readonly Case[] = [
  { what: 'ids', text: 'allow 046d:c52b', guest: 'u1', rules: ['auto u1 id=046d:c52b every'] },
  { what: 'a vendor', text: 'allow id 046d:*', guest: 'u1', rules: ['auto u1 id=046d:*'] },
  {
    what: 'several values',
    text: 'block id one-of { 046d:c52b 1234:* } serial one-of { "A" "" }',
    rules: [
      'deny * id=046d:c52b serial=A',
      'deny * id=046d:c52b serial=""',
      'deny * id=1234:* serial=A',
      'deny * id=1234:* serial=""',
    ],
  },
  { what: 'a hash', text: `allow hash "${H}"`, guest: 'u1', rules: [`auto u1 hash="${H}" every`] },
  {
    what: 'what denies for an interface',
    text: 'reject with-interface one-of { 03:*:* 08:06:50 }',
    rules: ['deny * interface=03/*,08/06/50'],
  },
  {
    what: 'what allows nothing but interfaces',
    text: 'allow with-interface match-all { 08:*:* }',
    guest: 'u1',
    rules: ['auto u1 interface=08/*'],
  },
  { what: 'a condition that is met', text: 'block 1234:* label "x" if !false', rules: ['deny * id=1234:*'] },
  { what: 'everything', text: 'block', rules: ['deny *'] },
  {
    what: 'a condition that is never met',
    text: 'allow 1234:abcd name "x" if false',
    guest: 'u1',
    rules: [],
    said: ['1:26: It matches no device: its condition is never met.'],
  },
  {
    what: 'ids that no device has',
    text: 'block 1234:ABCD',
    rules: [],
    said: [
      '1:7: No device has this value of id: USBGuard compares ids as texts, and those of devices are in lower case.',
    ],
  },
  {
    what: 'several values at once',
    text: 'block serial { "a" "b" }',
    rules: [],
    said: ["1:7: It matches no device: none has several values of serial. USBGuard's one-of is for that."],
  },
  {
    what: 'what cannot be expressed',
    text: 'block name "x" via-port "1-2" parent-hash "y" with-connect-type "hotplug" if random',
    rules: [],
    said: [
      '!1:7: name cannot be expressed in pvusb rules.',
      '!1:16: via-port cannot be expressed in pvusb rules. socket= is the name of a socket that lasts: see "pvusb devices".',
      '!1:31: parent-hash cannot be expressed in pvusb rules. behind= names a hub by its socket: see "pvusb devices".',
      '!1:47: with-connect-type cannot be expressed in pvusb rules.',
      '!1:75: The condition random cannot be expressed in pvusb rules.',
    ],
  },
  {
    what: 'interfaces that are counted',
    text: 'allow 1234:* with-interface { 08:06:50 08:06:62 }',
    guest: 'u1',
    rules: ['# auto u1 id=1234:* interface=08/06/50,08/06/62'],
    said: [
      '!1:14: "with-interface { 08:06:50 08:06:62 }" counts interfaces; interface= says that there are no others, in any number, as match-all does.',
    ],
  },
  {
    what: 'interfaces that have to be there together',
    text: 'reject with-interface all-of { 08:*:* 03:*:* }\nallow 046d:*',
    guest: 'u1',
    rules: ['# deny * interface=08/*,03/*'],
    said: [
      '!1:8: "with-interface all-of { 08:*:* 03:*:* }" wants several at once; interface= denies for any of them, as one-of does.',
      '!2:1: Line 1 may deny some of these devices first, and is not a rule.',
    ],
  },
  {
    what: 'blanks around a serial number',
    text: 'allow serial " x"',
    guest: 'u1',
    rules: [],
    said: ['!1:7: Spaces around a serial number cannot be expressed: pvusb rules ignore them.'],
  },
  {
    what: 'rules for USBGuard itself',
    text: 'match 1234:abcd\nallow 1234:*\nallow 046d:*',
    guest: 'u1',
    rules: ['# deny * id=1234:abcd', 'auto u1 id=046d:*'],
    said: [
      "!1:1: A rule that begins with match is for USBGuard's own use: in a file it ends the search, and does nothing.",
      '!2:1: Line 1 may deny some of these devices first, and is not a rule.',
    ],
  },
  {
    what: 'a denial before something more specific',
    text: 'block with-interface one-of { 03:*:* }\nallow 046d:c52b',
    guest: 'u1',
    rules: ['deny * interface=03/*', 'deny * id=046d:c52b interface=03/*', 'auto u1 id=046d:c52b every'],
  },
  {
    what: 'what never decides',
    text: 'allow 046d:*\nblock 046d:c52b\nblock 1234:*\nallow 1234:abcd',
    guest: 'u1',
    rules: ['auto u1 id=046d:*', 'deny * id=1234:*'],
    said: [
      '2:1: It never takes effect: line 1 comes first and matches all of its devices.',
      '4:1: It never takes effect: line 3 comes first and matches all of its devices.',
    ],
  },
  {
    what: 'a denial after something less specific',
    text: 'allow 046d:*\nblock serial "A"',
    guest: 'u1',
    rules: ['auto u1 id=046d:*', 'deny * serial=A'],
    said: [
      '!2:1: Devices that line 1 allows first are denied by this: here the rule that denies is as specific, and wins.',
    ],
  },
  {
    what: 'an exception that is more specific than what comes first',
    text: 'allow 046d:*\nblock with-interface one-of { 03:*:* }\nallow 046d:c52b',
    guest: 'u1',
    rules: [
      'auto u1 id=046d:*',
      'deny * interface=03/*',
      'deny * id=046d:c52b interface=03/*',
      'auto u1 id=046d:c52b every',
    ],
    said: [
      '!3:1: Devices that line 1 allows first are denied by this: here the rule that denies is as specific, and wins.',
    ],
  },
  {
    what: 'what is allowed for no guest',
    text: 'allow 046d:*\nblock with-interface one-of { 03:*:* }\nallow',
    rules: ['deny * interface=03/*'],
    said: [
      '!1:1: It allows devices but names no guest: name one, and they can be for that guest.',
      '!2:1: Devices that line 1 allows first are denied by this: no rule gives them to anybody.',
      '!3:1: It allows devices but names no guest: name one, and they can be for that guest.',
    ],
  },
  {
    what: 'what allows everything',
    text: 'allow id *:*',
    guest: 'u1',
    rules: [],
    said: ['!1:1: It allows every device: a rule that gives devices has to name them.'],
  },
];

const XAPI: readonly Case[] = [
  { what: 'ids', text: 'ALLOW: vid=056A pid=0315', guest: 'u1', rules: ['auto u1 id=056a:0315 every'] },
  {
    what: 'classes',
    text: 'DENY: class=02\nDENY: class=03 subclass=01\nDENY: prot=02 class=03 subclass=01 vid=046d\nDENY:',
    rules: [
      'deny * interface=02/*',
      'deny * interface=03/01/*',
      'deny * id=046d:* interface=03/01/02',
      'deny *',
    ],
  },
  {
    what: 'a part of a device',
    text: 'ALLOW: class=08',
    guest: 'u1',
    rules: ['auto u1 interface=08/*'],
    said: [
      '1:1: A rule gives whole devices: one with an interface that only another line allows is not given.',
    ],
  },
  {
    what: 'what cannot be expressed',
    text: 'DENY: pid=0001 rel=0100\nDENY: vid=1234 subclass=01 prot=02\nDENY: class=03 prot=01\nALLOW: vid=1234',
    guest: 'u1',
    rules: ['# deny * id=1234:*', '# deny * interface=03/*'],
    said: [
      '!1:16: rel cannot be expressed in pvusb rules: they do not compare versions.',
      '!1:7: pid without vid cannot be expressed in pvusb rules.',
      '!2:16: subclass without class means any class with it, which cannot be expressed in pvusb rules.',
      '!2:28: prot without class and subclass cannot be expressed in pvusb rules.',
      '!3:16: prot without class and subclass cannot be expressed in pvusb rules.',
      '!4:1: Line 1 may deny some of these devices first, and is not a rule.',
    ],
  },
  {
    what: 'an exception for one model',
    text: 'ALLOW:vid=056a pid=0315 class=03\nDENY: class=03 subclass=01',
    guest: 'u1',
    rules: ['auto u1 id=056a:0315 interface=03/* every', 'deny * interface=03/01/*'],
    said: [
      '1:1: A rule gives whole devices: one with an interface that only another line allows is not given.',
    ],
  },
  {
    what: 'what never decides',
    text: 'ALLOW: class=03\nDENY: class=03 subclass=01',
    guest: 'u1',
    rules: ['auto u1 interface=03/*'],
    said: [
      '1:1: A rule gives whole devices: one with an interface that only another line allows is not given.',
      '2:1: It never takes effect: line 1 comes first and matches all of its devices.',
    ],
  },
];

function check(format: ImportFormat, { text, guest, rules, said = [] }: Case): void {
  const { lines, reports } = importFile(
    format,
    { path: 'f', untrustedContent: text },
    { guest, mode: 'auto' },
  );
  const got = lines.flatMap((line) => [
    ...line.rules.map(({ rule }) => rule),
    ...line.like.map((rule) => `# ${rule}`),
  ]);
  assert.deepEqual(got, rules);
  const told = reports.map(
    ({ line, column, message, isExpressed }) => `${isExpressed ? '' : '!'}${line}:${column}: ${message}`,
  );
  assert.deepEqual(told, said);
}

describe("a line of USBGuard's rules becomes what it means", () => {
  for (const one of USBGUARD) it(one.what, () => check('usbguard', one));

  it('or nothing, if any line cannot be read', () => {
    const untrustedContent = 'allow 1234:abcd\nallow \n';
    const { lines, problems } = importFile('usbguard', { path: 'f', untrustedContent }, { guest: 'u1' });
    assert.deepEqual(lines, []);
    assert.equal(problems[0]?.line, 2);
  });
});

describe("a line of XAPI's policy becomes what it means", () => {
  for (const one of XAPI) it(one.what, () => check('xapi', one));
});

describe('a file of rules', () => {
  it('has each rule after the line that it was made of', () => {
    const untrustedContent =
      '# Keyboards\nblock with-interface one-of { 03:*:* }\n\nallow 046d:c52b name "x"\nallow 046d:c52b\n#\n';
    const imported = importFile('usbguard', { path: 'rules.conf', untrustedContent }, { guest: 'my guest' });
    assert.equal(
      formatImported('usbguard', 'rules.conf', imported),
      [
        '# From rules.conf (usbguard).',
        "# USBGuard's allow lets the host use a device; it names no guest. A device that USBGuard blocks has no",
        '# interfaces and cannot be lent with type pv until USBGuard allows it.',
        '',
        '# Keyboards',
        '# block with-interface one-of { 03:*:* }',
        'deny * interface=03/*',
        '# allow 046d:c52b name "x"',
        '#   (no rule)',
        '#   similar, but not the same: ask "my guest" id=046d:c52b every',
        '# allow 046d:c52b',
        '#   without what line 2 denies first:',
        'deny * id=046d:c52b interface=03/*',
        'ask "my guest" id=046d:c52b every',
        '#',
        '',
      ].join('\n'),
    );
  });

  it('is for a guest whose name can be in it', () => {
    for (const name of ['u1', 'a "b" \\', '#', 'é', '01234567-89ab-cdef-0123-456789abcdef'])
      assert.ok(isGuestName(name));
    for (const name of ['', '*', 'a\nb', '\u202e', 'x'.repeat(257)]) assert.ok(!isGuestName(name), name);
  });
});
