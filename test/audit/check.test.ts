/** The check of the audit: no change of it goes unnoticed. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { verifyAudit } from '../../src/audit/index.js';
import { ENTRY, FAILED, filesIn, folderOf, write } from './support.js';

describe('a check of the audit', () => {
  it('names the file and the line of any change of any byte', async (t) => {
    const folder = folderOf(t);
    await write(
      folder,
      Array.from({ length: 9 }, (_, at) => (at % 2 ? ENTRY : FAILED)),
      { bytesMax: 2200 },
    );
    const names = filesIn(folder);
    assert.ok(names.length >= 3);
    const texts = new Map(names.map((name) => [name, readFileSync(join(folder, name))]));
    const place = fc.constantFrom(...names).chain((name) =>
      fc.record({
        name: fc.constant(name),
        at: fc.nat(texts.get(name)!.length - 2),
        by: fc.integer({ min: 1, max: 255 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(place, async ({ name, at, by }) => {
        const bytes = Buffer.from(texts.get(name)!);
        bytes[at]! ^= by;
        writeFileSync(join(folder, name), bytes);
        const line =
          texts
            .get(name)!
            .subarray(0, at)
            .filter((byte) => byte === 10).length + 1;
        const { broken } = await verifyAudit(folder);
        writeFileSync(join(folder, name), texts.get(name)!);
        assert.deepEqual([broken?.file, broken?.line], [name, line]);
      }),
      { numRuns: 150 },
    );
    assert.equal((await verifyAudit(folder)).broken, undefined);
  });

  it('notices lines that are gone, doubled or swapped', async (t) => {
    const folder = folderOf(t);
    await write(folder, [ENTRY, FAILED, ENTRY]);
    const path = join(folder, filesIn(folder)[0]!);
    const [a, b, c, d] = readFileSync(path, 'utf8').trimEnd().split('\n');
    for (const [lines, line] of [
      [[a, b, d], 3],
      [[a, b, b, c, d], 3],
      [[a, c, b, d], 2],
      [[b, c, d], 1],
      [[a, a, b], 2],
    ] as const) {
      writeFileSync(path, `${lines.join('\n')}\n`);
      assert.equal((await verifyAudit(folder)).broken?.line, line);
    }
  });
});
