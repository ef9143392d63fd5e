/** The tree after each operation, key by key and permission by permission as libxl 4.17.7 wrote it on a real host. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addController, attachDevice, detachDevice, removeController } from '../../../src/pvusb/index.js';
import { labWorld, shortWorld, type World } from '../../../src/sim/index.js';
import { projectRoot } from '../../xenstored/fetch.js';
import { controllerOf, type Lab } from '../support/test-host.js';
import type { Case } from './case.js';

/** What we write and libxl does not, or the reverse; each with its reason. */
const OURS = [
  // Which device the drivers were saved for.
  /\/libxl\/usbback\/[^/]+\/device = /,
  // libxl keeps this empty directory, and the device's own if no driver was saved.
  /^[+-]\/libxl\/usbback(\/3-8)? = ""/,
];

/** For types that a QEMU serves libxl saves nothing: when QEMU dies, nobody knows the drivers. So we save them. */
const SAVED = /^[+-]\/libxl\/usbback/;

/** What a living QEMU and its guest have written; in these recordings it was dead. */
const ALIVE = /hotplug-status|ring-ref|event-channel/;

/** A recording, and the same done by us. */
interface Step {
  readonly capture: string;
  act(lab: Lab): Promise<unknown>;
  /** The recorded QEMU was dead, since libxl had put a device into the same port of a second controller. */
  readonly dead?: true;
}

/** Steps in the order in which they were recorded; each begins where the one before ended. */
interface Sequence {
  readonly name: string;
  readonly folder: string;
  readonly world: World;
  readonly steps: readonly Step[];
}

const add = (domain: string, request: object) => (lab: Lab) =>
  addController(lab.host, { domain, ...request });
const attach =
  (domain: string, device: string, place: object = {}) =>
  (lab: Lab) =>
    attachDevice(lab.host, { domain, device, ...place });
const detach = (domain: string, devid: number, port: number) => (lab: Lab) =>
  detachDevice(lab.host, { domain, devid, port });
const remove = (domain: string, devid: number) => (lab: Lab) => removeController(lab.host, { domain, devid });

/** Guests as recorded, with a QEMU, on a kernel without usbback. */
function servedWorld(domid: number, name: string, type: 'pv' | 'hvm'): World {
  const { devices } = labWorld();
  return {
    ...shortWorld({ usbback: false, domains: [{ domid, name, type, deviceModel: true }] }),
    devices,
    drivers: labWorld().drivers,
  };
}

const emulated = {
  ...servedWorld(1, 'h1', 'hvm'),
  controllers: [
    controllerOf({ domid: 1, devid: 0, type: 'devicemodel', portCount: 6, ports: new Map([[1, '1-1']]) }),
  ],
};

const SEQUENCES: readonly Sequence[] = [
  {
    name: 'pv',
    folder: 'pv',
    world: labWorld(),
    steps: [
      { capture: '001-ctrl-attach-auto', act: add('u1', {}) },
      { capture: '002-ctrl-attach-pv-v2-p4', act: add('u1', { type: 'pv', version: 2, ports: 4 }) },
      { capture: '003-ctrl-attach-pv-v1-p1', act: add('u1', { type: 'pv', version: 1, ports: 1 }) },
      { capture: '004-dev-attach-stick-4-1', act: attach('u1', '4-1', { devid: 1, port: 1 }) },
      { capture: '005-dev-attach-audio-3-6', act: attach('u1', '3-6') },
      { capture: '006-dev-attach-net-3-7', act: attach('u1', '3-7') },
      { capture: '007-dev-attach-ccid-3-8-nodriver', act: attach('u1', '3-8') },
      { capture: '008-dev-attach-hubbed-3-5.1', act: attach('u1', '3-5.1') },
      { capture: '016-dev-detach-stick-4-1', act: detach('u1', 1, 1) },
      { capture: '018-dev-detach-net-3-7', act: detach('u1', 0, 2) },
      { capture: '019-dev-detach-ccid-3-8', act: detach('u1', 0, 3) },
      { capture: '020-dev-detach-hubbed', act: detach('u1', 0, 4) },
      { capture: '026-ctrl-detach-empty', act: remove('u1', 2) },
    ],
  },
  {
    name: 'qusb with a controller made for a device',
    folder: 'qusb',
    world: servedWorld(2, 'u2', 'pv'),
    steps: [{ capture: '001-no-controller-dev-attach-makes-controller', act: attach('u2', '1-1') }],
  },
  {
    name: 'qusb',
    folder: 'qusb',
    world: servedWorld(2, 'u2', 'pv'),
    steps: [
      { capture: '002-ctrl-attach-2-ports', act: add('u2', { version: 2, ports: 2 }) },
      { capture: '003-dev-attach-1', act: attach('u2', '1-1') },
      { capture: '004-dev-attach-2', act: attach('u2', '3-6') },
      { capture: '005-dev-attach-all-full-makes-controller', act: attach('u2', '3-2'), dead: true },
      { capture: '007-dev-detach-stick-1-1', act: detach('u2', 0, 1) },
      { capture: '008-dev-detach-audio', act: detach('u2', 0, 2) },
      { capture: '009-ctrl-detach-with-device', act: remove('u2', 1), dead: true },
    ],
  },
  {
    name: 'qusb in all shapes',
    folder: 'qusb-kinds',
    world: servedWorld(9, 'u2', 'pv'),
    steps: [
      { capture: '001-ctrl-attach-auto', act: add('u2', {}) },
      { capture: '002-ctrl-attach-qusb-v2-p4', act: add('u2', { type: 'qusb', version: 2, ports: 4 }) },
      { capture: '003-ctrl-attach-qusb-v1-p2', act: add('u2', { type: 'qusb', version: 1, ports: 2 }) },
      { capture: '004-ctrl-attach-qusb-p31', act: add('u2', { type: 'qusb', ports: 31 }) },
      { capture: '005-ctrl-attach-qusb-p1', act: add('u2', { type: 'qusb', ports: 1 }) },
      { capture: '007-dev-attach-explicit', act: attach('u2', '4-1', { devid: 1, port: 3 }) },
      { capture: '008-dev-attach-first-free', act: attach('u2', '3-4') },
      { capture: '009-dev-attach-fullspeed-hubbed-to-v1', act: attach('u2', '3-5.1', { devid: 2, port: 2 }) },
      { capture: '010-dev-attach-multi-3-7', act: attach('u2', '3-7', { devid: 3 }), dead: true },
    ],
  },
  {
    name: 'devicemodel',
    folder: 'devicemodel',
    world: emulated,
    steps: [
      { capture: '001-dev-attach-kbd-controller-0', act: attach('h1', '3-2', { devid: 0 }) },
      { capture: '002-ctrl-attach-v3-p4', act: add('h1', { version: 3, ports: 4 }) },
      { capture: '003-dev-attach-stick-4-1-xhci', act: attach('h1', '4-1', { devid: 1, port: 2 }) },
      { capture: '004-ctrl-attach-v1', act: add('h1', { version: 1 }) },
      { capture: '011-dev-detach-stick-4-1', act: detach('h1', 1, 2) },
      { capture: '012-dev-detach-kbd', act: detach('h1', 0, 2) },
      { capture: '013-ctrl-detach-with-device', act: remove('h1', 0) },
      { capture: '014-ctrl-detach-empty-xhci', act: remove('h1', 1) },
      { capture: '015-auto-controller-dev-attach', act: attach('h1', '1-1') },
    ],
  },
];

/** What has changed according to a recording. */
function captured({ folder }: Sequence, { capture }: Step): string[] {
  const file = join(projectRoot(), 'test', 'fixtures', 'libxl', folder, `${capture}.diff`);
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => /^[+-]/.test(line));
}

/** Without what is known to differ; the guest's own numbers are arbitrary. */
function comparable(lines: readonly string[], { folder }: Sequence, { dead }: Step): string[] {
  const known = folder === 'pv' ? OURS : [SAVED];
  return (
    lines
      .filter((line) => !known.some((pattern) => pattern.test(line)) && !(dead && ALIVE.test(line)))
      .map((line) => line.replace(/((ring-ref|event-channel) = )"\d+"/, '$1"a number"'))
      .map((line) => (dead ? line.replace(/^(.*local.*state = )"\d"/, '$1"a state"') : line))
      // Where libxl took the port that killed QEMU, we take the next.
      .map((line) => (dead ? line.replace(/port\/\d = "(3-2|3-7|)"/, 'port/? = "$1"') : line))
      .sort()
  );
}

function changes(before: string, after: string): string[] {
  const [had, has] = [new Set(before.split('\n')), new Set(after.split('\n'))];
  return [
    ...[...had].filter((line) => !has.has(line)).map((line) => `-${line}`),
    ...[...has].filter((line) => !had.has(line)).map((line) => `+${line}`),
  ];
}

export const libxlCases: readonly Case[] = SEQUENCES.map((sequence) => ({
  name: `every operation leaves the nodes and permissions that xl leaves: ${sequence.name}`,
  options: { world: sequence.world },
  async run(lab) {
    // A real host always has some backend.
    await lab.write('/local/domain/0/backend/console', '');
    for (const step of sequence.steps) {
      const before = await lab.dump();
      await step.act(lab);
      const ours = comparable(changes(before, await lab.dump()), sequence, step);
      assert.deepEqual(ours, comparable(captured(sequence, step), sequence, step), step.capture);
    }
  },
}));
