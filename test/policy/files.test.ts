/** The folder of rules on a real file system: order, permissions, and changes that are whole or do not happen. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '../../src/async/index.js';
import { openRuleFiles, RuleFilesError } from '../../src/pvusb/index.js';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'pvusb-rules-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

const is = (code: string) => (error: unknown) => error instanceof RuleFilesError && error.code === code;

describe('the files of rules', () => {
  it('are none where there is no folder', async () => {
    assert.deepEqual(await openRuleFiles('/nonexistent/pvusb', systemClock).read(), []);
  });

  it('are the main one, then those of the drop-in folder by name', async (t) => {
    const root = folder(t);
    mkdirSync(join(root, 'assignments.d'));
    for (const [name, text] of [
      ['assignments.conf', 'main'],
      ['assignments.d/20-b.conf', 'b'],
      ['assignments.d/10-a.conf', 'a'],
      ['assignments.d/note.txt', 'x'],
      ['assignments.d/.hidden.conf', 'x'],
      ['assignments.d/old.conf~', 'x'],
    ] as const)
      writeFileSync(join(root, name), text);
    assert.deepEqual(await openRuleFiles(root, systemClock).read(), [
      { path: 'assignments.conf', text: 'main' },
      { path: 'assignments.d/10-a.conf', text: 'a' },
      { path: 'assignments.d/20-b.conf', text: 'b' },
    ]);
  });

  it('are made with their folder, and keep mode and link', async (t) => {
    const root = join(folder(t), 'etc', 'pvusb');
    const files = openRuleFiles(root, systemClock);
    await files.change('assignments.conf', (text) => `${text}one\n`);
    chmodSync(join(root, 'assignments.conf'), 0o600);
    await files.change('assignments.conf', (text) => `${text}two\n`);
    assert.equal(readFileSync(join(root, 'assignments.conf'), 'utf8'), 'one\ntwo\n');
    assert.equal(statSync(join(root, 'assignments.conf')).mode & 0o777, 0o600);
  });

  it('are not changed through a link, nor into anything that is no file', async (t) => {
    const root = folder(t);
    writeFileSync(join(root, 'elsewhere'), 'x');
    symlinkSync('elsewhere', join(root, 'assignments.conf'));
    const files = openRuleFiles(root, systemClock);
    await assert.rejects(
      files.change('assignments.conf', () => 'y'),
      is('not-a-file'),
    );
    assert.equal(readFileSync(join(root, 'elsewhere'), 'utf8'), 'x');
    assert.ok(!existsSync(join(root, 'assignments.conf~')));
  });

  it('stay as they are when the change fails, or is none', async (t) => {
    const root = folder(t);
    const files = openRuleFiles(root, systemClock);
    await files.change('assignments.conf', () => 'x');
    await assert.rejects(
      files.change('assignments.conf', () => {
        throw new Error('no');
      }),
    );
    await files.change('assignments.conf', () => undefined);
    assert.equal(readFileSync(join(root, 'assignments.conf'), 'utf8'), 'x');
    assert.ok(!existsSync(join(root, 'assignments.conf~')));
  });

  it('lose no change when many are made at once', async (t) => {
    const root = folder(t);
    const files = openRuleFiles(root, systemClock);
    const names = Array.from({ length: 20 }, (_, i) => `line ${i}\n`);
    await Promise.all(names.map((line) => files.change('assignments.conf', (text) => text + line)));
    const lines = readFileSync(join(root, 'assignments.conf'), 'utf8').split(/(?<=\n)/);
    assert.deepEqual(lines.sort(), names.sort());
  });

  it('are changed although a killed program has left its new file, and not beside one that is at work', async (t) => {
    const root = folder(t);
    let waitedMs = 0;
    const clock = {
      nowMs: () => waitedMs,
      async sleep(ms: number) {
        waitedMs += ms;
      },
    };
    const files = openRuleFiles(root, clock);
    writeFileSync(join(root, 'assignments.conf~'), 'half');
    await assert.rejects(
      files.change('assignments.conf', () => 'x'),
      is('busy'),
    );
    assert.ok(waitedMs >= 2_000);
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(join(root, 'assignments.conf~'), longAgo, longAgo);
    await files.change('assignments.conf', () => 'x');
    assert.equal(readFileSync(join(root, 'assignments.conf'), 'utf8'), 'x');
  });

  it('are changed although the clock was put back since a program was killed', async (t) => {
    const root = folder(t);
    const made = join(root, 'assignments.conf~');
    writeFileSync(made, 'half');
    const ahead = new Date(Date.now() + 3_600_000);
    utimesSync(made, ahead, ahead);
    await openRuleFiles(root, systemClock).change('assignments.conf', () => 'x');
    assert.equal(readFileSync(join(root, 'assignments.conf'), 'utf8'), 'x');
  });

  it('are not changed by a program that was stopped for so long that it was taken for dead', async (t) => {
    const root = folder(t);
    const made = join(root, 'assignments.conf~');
    await assert.rejects(
      openRuleFiles(root, systemClock).change('assignments.conf', () => {
        rmSync(made);
        writeFileSync(made, 'half of what somebody else writes');
        return 'x';
      }),
      is('busy'),
    );
    assert.equal(existsSync(join(root, 'assignments.conf')), false);
    assert.equal(readFileSync(made, 'utf8'), 'half of what somebody else writes');
  });

  it('are left alone if they are no text, and if whoever changes them does not want to', async (t) => {
    const root = folder(t);
    const path = join(root, 'assignments.conf');
    const latin = Buffer.from('# f\xfcr u1\nauto u1 serial=A\n', 'latin1');
    writeFileSync(path, latin);
    const { change, read } = openRuleFiles(root, systemClock);
    await assert.rejects(
      change('assignments.conf', (text) => `${text}more`),
      /is not valid UTF-8: correct it by hand/,
    );
    assert.deepEqual(readFileSync(path), latin);
    assert.equal((await read()).length, 1);
    writeFileSync(path, '\ufeff# für u1\n');
    await change('assignments.conf', (text) => `${text}more\n`);
    assert.equal(readFileSync(path, 'utf8'), '\ufeff# für u1\nmore\n');
    const why = new Error('another program has changed it');
    await assert.rejects(
      change('assignments.conf', () => {
        throw why;
      }),
      (error) => error === why,
    );
    assert.deepEqual(readdirSync(root), ['assignments.conf']);
  });
});
