/** Plans as people see them: one line per step. The plan scripts check their contents. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Action, formatAction, formatPlan, type Plan } from '../../../src/pvusb/index.js';
import { parseBusid, parseDriverName, parseInterfaceId } from '../../../src/sysfs/index.js';

const busid = parseBusid('4-1')!;
const intf = parseInterfaceId('4-1:1.0')!;
const driver = parseDriverName('usb-storage')!;
const at = { domid: 4, devid: 0, port: 1 };
const unclaimed = { fact: 'unclaimed', busid, domids: [0], controllers: [], ports: [] } as const;
const config = { domid: 4, uuid: 'f7f885b9-a492-4e50-8c52-96957c4351ad', edits: [] };

const LINES: readonly (readonly [Action, string])[] = [
  [{ do: 'bind', interface: intf, driver }, 'bind 4-1:1.0 to usb-storage'],
  [{ do: 'unbind', interface: intf, driver }, 'unbind 4-1:1.0 from usb-storage'],
  [{ do: 'take', interface: intf, driver, record: '/r' }, 'unbind 4-1:1.0 from usb-storage'],
  [{ do: 'restore', interface: intf, driver }, 'give 4-1:1.0 back to usb-storage'],
  [{ do: 'restore', interface: intf }, 'give 4-1:1.0 back to the driver that the kernel chooses'],
  [{ do: 'verify', busid, bus: 4, address: 2 }, 'check that 4-1 is still at address 4.2'],
  [{ do: 'forget', busid, records: [] }, 'forget the drivers saved for 4-1'],
  [
    {
      do: 'await',
      domid: 1,
      devid: 0,
      server: 'usbback',
      path: '/b/state',
      states: [2, 4],
      orGone: false,
      withinMs: 10_000,
    },
    'wait up to 10 s until /b/state is 2 or 4',
  ],
  [
    { do: 'emulate', ...at, version: 2, ports: 6, isNew: true },
    'have the QEMU of domain 4 emulate controller 0 (USB 2, 6 ports)',
  ],
  [{ do: 'unemulate', ...at, withinMs: 500, mayStay: true }, 'have the QEMU of domain 4 remove controller 0'],
  [
    { do: 'lend', ...at, busid, bus: 4, address: 2 },
    'have the QEMU of domain 4 put 4-1 (4.2) into port 1 of controller 0',
  ],
  [{ do: 'unlend', ...at }, 'have the QEMU of domain 4 let go of what is in port 1 of controller 0'],
  [
    { do: 'hold', ...at, busid, withinMs: 10_000 },
    'wait up to 10 s until the QEMU of domain 4 has opened 4-1',
  ],
  [
    { do: 'release', ...at, busid, withinMs: 500 },
    'wait up to 0.5 s until the QEMU of domain 4 has let go of 4-1',
  ],
  [
    {
      do: 'commit',
      expect: [{ fact: 'value', path: '/p', is: '' }, { fact: 'absent', path: '/q' }, unclaimed],
      edits: [],
    },
    'check that /p is "" and /q is absent and 4-1 is in no port',
  ],
  // The contents of a new directory are left out, and what is said about the other devices.
  [
    {
      do: 'commit',
      expect: [],
      edits: [
        { edit: 'mkdir', path: '/d', permissions: [] },
        { edit: 'write', path: '/d/key', value: 'value' },
        { edit: 'write', path: '/e', value: '"' },
        { edit: 'clear', path: '/f', from: '4-1' },
        { edit: 'rm', path: '/g' },
        { edit: 'prune', path: '/h' },
      ],
      config,
    },
    `create /d,
     write /e = "\\"",
     write /f = "",
     remove /g,
     note it in the saved configuration of domain 4`,
  ],
];

for (const [action, line] of LINES) {
  test(`an action is one line: ${line.split('\n')[0]}`, () => assert.equal(formatAction(action), line));
}

test('a plan is its title and its steps, numbered, with their undos when asked for', () => {
  const plan: Plan = {
    title: 'try it',
    steps: [
      {
        why: 'begin',
        act: { do: 'bind', interface: intf, driver },
        undo: [{ do: 'restore', interface: intf }],
      },
      { why: 'end', act: { do: 'unbind', interface: intf, driver } },
    ],
    onFailure: 'undo',
  };
  assert.equal(
    formatPlan(plan),
    'try it\n  1. bind 4-1:1.0 to usb-storage\n  2. unbind 4-1:1.0 from usb-storage\n',
  );
  assert.equal(
    formatPlan(plan, { undo: true }),
    'try it\n' +
      '  1. bind 4-1:1.0 to usb-storage\n' +
      '       undo: give 4-1:1.0 back to the driver that the kernel chooses\n' +
      '  2. unbind 4-1:1.0 from usb-storage\n',
  );
  assert.equal(formatPlan({ ...plan, steps: [] }), 'try it: nothing to do\n');
});
