/** The tree after each operation, key for key and permission for permission as libxl 4.17.7 wrote it on a real host. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addController, attachDevice, detachDevice, removeController } from '../../src/pvusb/index.js';
import { projectRoot } from '../xenstored/fetch.js';
import type { Lab } from './lab.js';
import type { Case } from './suite.js';

/** What we write and libxl does not, or the other way round; each with its reason. */
const OURS = [
  // Which device the drivers were saved for.
  /\/libxl\/usbback\/[^/]+\/device = /,
  // libxl keeps this empty directory, and the device's own where no driver was saved.
  /^[+-]\/libxl\/usbback(\/3-8)? = ""/,
];

/** A capture, and the same done by us. */
interface Step {
  readonly capture: string;
  act(lab: Lab): Promise<unknown>;
}

const add = (request: object) => (lab: Lab) => addController(lab.host, { domain: 'u1', ...request });
const attach = (device: string, place: object) => (lab: Lab) =>
  attachDevice(lab.host, { domain: 'u1', device, ...place });
const detach = (devid: number, port: number) => (lab: Lab) =>
  detachDevice(lab.host, { domain: 'u1', devid, port });

/** In the order in which they were captured; each begins where the one before ended. */
const STEPS: readonly Step[] = [
  { capture: '001-ctrl-attach-auto', act: add({}) },
  { capture: '002-ctrl-attach-pv-v2-p4', act: add({ type: 'pv', version: 2, ports: 4 }) },
  { capture: '003-ctrl-attach-pv-v1-p1', act: add({ type: 'pv', version: 1, ports: 1 }) },
  { capture: '004-dev-attach-stick-4-1', act: attach('4-1', { devid: 1, port: 1 }) },
  { capture: '005-dev-attach-audio-3-6', act: attach('3-6', {}) },
  { capture: '006-dev-attach-net-3-7', act: attach('3-7', {}) },
  { capture: '007-dev-attach-ccid-3-8-nodriver', act: attach('3-8', {}) },
  { capture: '008-dev-attach-hubbed-3-5.1', act: attach('3-5.1', {}) },
  { capture: '016-dev-detach-stick-4-1', act: detach(1, 1) },
  { capture: '018-dev-detach-net-3-7', act: detach(0, 2) },
  { capture: '019-dev-detach-ccid-3-8', act: detach(0, 3) },
  { capture: '020-dev-detach-hubbed', act: detach(0, 4) },
  {
    capture: '026-ctrl-detach-empty',
    act: (lab) => removeController(lab.host, { domain: 'u1', devid: 2 }),
  },
];

/** What a capture says has changed, without what is known to differ. */
function captured(name: string): string[] {
  const text = readFileSync(join(projectRoot(), 'test', 'fixtures', 'libxl', `${name}.diff`), 'utf8');
  return comparable(text.split('\n').filter((line) => /^[+-]/.test(line)));
}

function comparable(lines: readonly string[]): string[] {
  return lines.filter((line) => !OURS.some((known) => known.test(line))).sort();
}

function changes(before: string, after: string): string[] {
  const [had, has] = [new Set(before.split('\n')), new Set(after.split('\n'))];
  return comparable([
    ...[...had].filter((line) => !has.has(line)).map((line) => `-${line}`),
    ...[...has].filter((line) => !had.has(line)).map((line) => `+${line}`),
  ]);
}

export const libxlCases: readonly Case[] = [
  {
    name: 'every operation leaves the nodes and permissions that xl leaves',
    async run(lab) {
      // A real host always has some backend.
      await lab.write('/local/domain/0/backend/console', '');
      for (const { capture, act } of STEPS) {
        const before = await lab.dump();
        await act(lab);
        assert.deepEqual(changes(before, await lab.dump()), captured(capture), capture);
      }
    },
  },
];
