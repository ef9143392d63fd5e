/** What quiesced guests had, as files. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openQuiescedFiles } from '../../../src/quiesced/index.js';
import { parseBusid } from '../../../src/sysfs/index.js';

describe('the record of a guest', () => {
  it('is whole at any time, however many write it at once, and nothing is left beside it', async (t) => {
    const root = mkdtempSync(join(tmpdir(), 'pvusb-quiesced-'));
    t.after(() => rmSync(root, { recursive: true }));
    const quiesced = openQuiescedFiles(root);
    const [guest, folder] = [
      { token: 'u1-1', time: '', domid: 1, isIncomplete: false },
      join(root, 'quiesced'),
    ];
    const device = { busid: parseBusid('4-1')!, identity: 'x'.repeat(80), devid: 0, port: 1 };
    const sizes = [1, 400, 7, 300];
    let isWriting = true;
    const writing = Promise.all(
      sizes.map(async (size) => {
        const devices = Array.from({ length: size }, () => device);
        for (let round = 0; round < 5; round++) await quiesced.write({ ...guest, controllers: [], devices });
      }),
    ).finally(() => {
      isWriting = false;
    });
    while (isWriting)
      for (const { devices } of await quiesced.list()) assert.ok(sizes.includes(devices.length));
    await writing;
    assert.deepEqual(readdirSync(folder), ['u1-1.json']);
    for (const [name, isOld] of [
      ['u1-1.json.1~', true],
      ['u1-1.json.2~', false],
    ] as const) {
      writeFileSync(join(folder, name), '');
      if (isOld) utimesSync(join(folder, name), 1, 1);
    }
    await quiesced.remove('u1-1');
    assert.deepEqual(readdirSync(folder), ['u1-1.json.2~'], 'it may still be being written');
  });
});
