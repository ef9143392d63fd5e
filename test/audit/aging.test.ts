/** The audit is read while its files come and go. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { latestChanges, openAudit, readAudit, verifyAudit } from '../../src/audit/index.js';
import { changes, ENTRY, filesIn, folderOf, write } from './support.js';

/** Long enough that a file has two of them. */
const OPTIONS = { bytesMax: 1500 };
const entries = (count: number) => Array.from({ length: count }, () => ENTRY);

describe('the audit', () => {
  it('is read from where its changes are meant: no file without one of them', async (t) => {
    const folder = folderOf(t);
    await write(folder, entries(9), OPTIONS);
    const all = await changes(folder);
    assert.ok(filesIn(folder).length >= 3);
    const numbers = all.map((line) => Number(line.split(' ')[0]));
    for (const after of [0, ...numbers]) {
      assert.deepEqual(
        await changes(folder, { after }),
        all.filter((_, at) => numbers[at]! > after),
      );
    }
    for (const count of [1, 2, 3, 5, 9, 20])
      assert.deepEqual(
        (await latestChanges(folder, count)).map(({ seq }) => seq),
        numbers.slice(-count),
      );
    // A folder cannot be read as a file: whoever looks into it fails.
    rmSync(join(folder, filesIn(folder)[0]!));
    mkdirSync(join(folder, 'audit-000000000001.jsonl'));
    await assert.rejects(changes(folder), { code: 'io' });
    assert.equal((await latestChanges(folder, 2)).length, 2);
    assert.deepEqual(await changes(folder, { after: numbers.at(-2) }), all.slice(-1));
  });

  it('is read past a file that is removed because of its age', async (t) => {
    const folder = folderOf(t);
    await write(folder, entries(2));
    const all = await changes(folder);
    // Listed, and gone when it is opened.
    symlinkSync('/nonexistent', join(folder, 'audit-000000000000.jsonl'));
    assert.deepEqual(await changes(folder), all);
    assert.equal((await latestChanges(folder, 20)).length, 2);
  });

  it('is whole, whenever it is checked while it is written', async (t) => {
    const folder = folderOf(t);
    const log = await openAudit(folder, { ...OPTIONS, keep: 2 });
    let isWriting = true;
    const writing = (async () => {
      for (let left = 60; left > 0; left--) await log.append(ENTRY);
      isWriting = false;
    })();
    while (isWriting) {
      const { broken } = await verifyAudit(folder);
      assert.equal(broken, undefined);
      for await (const _ of readAudit(folder));
    }
    await writing;
    await log.close();
    // Begun, and nothing is in it yet.
    writeFileSync(join(folder, 'audit-000000009999.jsonl'), '');
    const { broken, isOpen } = await verifyAudit(folder);
    assert.deepEqual([broken, isOpen], [undefined, true]);
  });
});
