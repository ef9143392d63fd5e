/** `pvusb audit`. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openAudit } from '../../src/audit/index.js';
import { ENTRY, FAILED, folderOf } from '../audit/support.js';
import { runPvusb } from './stage.js';

/** An audit, and commands that read it. */
async function audited(t: Parameters<typeof folderOf>[0]) {
  const folder = folderOf(t);
  let hour = 9;
  const log = await openAudit(folder, { now: () => new Date(Date.UTC(2026, 10, 28, hour++)) });
  for (const entry of [ENTRY, { ...FAILED, why: 'urgent\x1b[2J' }]) await log.append(entry);
  await log.close();
  return {
    folder,
    run: (...argv: string[]) => runPvusb(['audit', ...argv], { env: { PVUSB_AUDIT: folder } }),
  };
}

describe('pvusb audit', () => {
  it('show prints the changes as a table', async (t) => {
    const { run } = await audited(t);
    assert.equal(
      (await run('show')).stdout,
      [
        'TIME                 NO  WHO   WHAT    GUEST  DEVICE  RESULT      WHY',
        '2026-11-28 09:00:00  2   root  attach  u1     4-1     done        assignments.conf:3',
        '2026-11-28 10:00:00  3   root  detach  u2     1-1     port-empty  urgent\\x1b[2J',
        '',
      ].join('\n'),
    );
    assert.match((await run('show', '--guest', 'u2')).stdout, /^TIME[^\n]*\n[^\n]* detach [^\n]*\n$/);
    assert.equal((await run('show', '--device', '9-9')).stdout, 'No matching changes.\n');
    assert.equal((await run('show', '--since', '1m')).stdout, 'No matching changes.\n');
    const lines = (await run('show', '--since', '2026-11-28T09:30Z', '--json')).stdout.trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { seq: number }).seq),
      [3],
    );
    const { status, stderr } = await run('show', '--since', 'yesterday');
    assert.equal(status, 2);
    assert.match(stderr, /^pvusb: --since takes 90m, .* not "yesterday"\.\n/);
  });

  it('verify says whether the chain is whole, and where it is broken', async (t) => {
    const { folder, run } = await audited(t);
    assert.deepEqual(await run('verify'), {
      status: 0,
      stdout: 'The audit log is intact: 1 file, 3 lines, numbered 1 to 3.\n',
      stderr: '',
    });
    const name = readdirSync(folder).find((one) => one.startsWith('audit-'))!;
    const text = readFileSync(join(folder, name), 'utf8');
    writeFileSync(join(folder, name), text.replace('"4-1"', '"4-2"'));
    assert.deepEqual(await run('verify'), {
      status: 1,
      stdout: `The audit log is broken: ${name}, line 2: it does not continue the line before it, or was changed.\n`,
      stderr: '',
    });
    const { broken } = JSON.parse((await run('verify', '--json')).stdout) as { broken: { line: number } };
    assert.equal(broken.line, 2);
  });

  it('verify fails where there is none', async () => {
    const env = { PVUSB_AUDIT: '/nonexistent' };
    const { status, stdout } = await runPvusb(['audit', 'verify'], { env });
    assert.deepEqual(
      [status, stdout],
      [
        1,
        'There is no audit log in /nonexistent; it begins with the first change that the daemon ("pvusb serve") makes.\n',
      ],
    );
    assert.equal((await runPvusb(['audit', 'show'], { env })).stdout, stdout);
    const wrong = await runPvusb(['audit', 'show'], { env: { PVUSB_AUDIT: '/dev/null' } });
    assert.equal(wrong.status, 3);
    assert.match(wrong.stderr, /^pvusb: \/dev\/null cannot be read \(ENOTDIR\)\.\n.*\(audit-failed\)\n$/);
  });

  it('has one writer: a second daemon says which process that is', async (t) => {
    const folder = folderOf(t);
    const log = await openAudit(folder);
    const env = {
      PVUSB_AUDIT: folder,
      PVUSB_API_SOCKET: join(folder, 'api'),
      XENSTORED_PATH: '/nonexistent',
    };
    const { status, stderr } = await runPvusb(['serve'], { env });
    await log.close();
    assert.equal(status, 3);
    assert.match(
      stderr,
      /^pvusb: The audit log in \S+ is being written by process \d+ \(\S+\)\.\nA host can have only one daemon: stop that process first\. \(audit-failed\)\n$/,
    );
  });
});
