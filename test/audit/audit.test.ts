/** The audit on a real file system: one line a change, in files that follow each other. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  type AuditEntry,
  AuditError,
  openAudit,
  readAudit,
  StepRecorder,
  verifyAudit,
} from '../../src/audit/index.js';
import { attachDevice, openHost } from '../../src/pvusb/index.js';
import { openStage } from '../cli/stage.js';
import { changes, ENTRY, FAILED, filesIn, folderOf, write } from './support.js';

describe('the audit', () => {
  it('is a line of JSON a change, for root only, and numbered', async (t) => {
    const folder = folderOf(t);
    const now = () => new Date('2026-11-28T12:00:00Z');
    await write(folder, [ENTRY, { ...FAILED, request: '\x1b[2J\u202e\n' }], { now });
    const [name] = filesIn(folder);
    assert.equal(name, 'audit-000000000001.jsonl');
    assert.equal(statSync(join(folder, name!)).mode & 0o777, 0o600);
    const text = readFileSync(join(folder, name!), 'utf8');
    assert.doesNotMatch(text, /[^\x20-\x7e\n]/);
    const [begin, first, second] = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual([begin?.line, begin?.seq, begin?.time], ['begin', 1, '2026-11-28T12:00:00.000Z']);
    assert.deepEqual({ ...first, ...ENTRY, seq: 2 }, first);
    assert.deepEqual([second?.seq, second?.request, second?.error], [3, '\x1b[2J\u202e\n', FAILED.error]);
    assert.deepEqual(await verifyAudit(folder), {
      ...{ files: 1, lines: 3, torn: 0, first: 1, last: 3, hasEarlier: false, isOpen: false },
    });
  });

  it('is read by guest, device and time', async (t) => {
    const folder = folderOf(t);
    let hour = 10;
    await write(folder, [ENTRY, FAILED, ENTRY], { now: () => new Date(Date.UTC(2026, 10, 28, hour++)) });
    assert.deepEqual(await changes(folder), ['2 attach', '3 detach', '4 attach']);
    assert.deepEqual(await changes(folder, { guest: 'u2' }), ['3 detach']);
    assert.deepEqual(await changes(folder, { guest: '3' }), ['2 attach', '4 attach']);
    assert.deepEqual(await changes(folder, { guest: 'b1f1', device: '1-1' }), []);
    assert.deepEqual(await changes(folder, { device: '1-1' }), ['3 detach']);
    assert.deepEqual(await changes(folder, { since: new Date('2026-11-28T12:00:00Z') }), ['4 attach']);
    assert.deepEqual(await changes('/nonexistent'), []);
  });

  it('goes on in the order of what was asked, also when opened again', async (t) => {
    const folder = folderOf(t);
    const log = await openAudit(folder);
    const added = await Promise.all(Array.from({ length: 20 }, () => log.append(ENTRY)));
    assert.deepEqual(
      added.map(({ seq }) => seq),
      Array.from({ length: 20 }, (_, at) => at + 2),
    );
    await log.close();
    await assert.rejects(
      log.append(ENTRY),
      (error) => error instanceof AuditError && error.code === 'closed',
    );
    await write(folder, [FAILED]);
    assert.equal((await verifyAudit(folder)).last, 22);
  });

  it('has one writer at a time, and names it', async (t) => {
    const folder = folderOf(t);
    const log = await openAudit(folder);
    await assert.rejects(
      openAudit(folder),
      (error) =>
        error instanceof AuditError &&
        error.code === 'locked' &&
        error.message.includes(`process ${process.pid}`),
    );
    await log.append(ENTRY);
    await log.close();
    await write(folder, [ENTRY]);
    assert.equal((await verifyAudit(folder)).lines, 3);
  });

  it('leaves no file open where locks do not work', async (t) => {
    const folder = folderOf(t);
    const flock = () => assert.fail('no locks here');
    await assert.rejects(openAudit(folder, { flock }), AuditError);
    const open = readdirSync('/proc/self/fd').map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return '';
      }
    });
    assert.deepEqual(
      open.filter((path) => path.startsWith(folder)),
      [],
    );
  });

  it('begins another file when one is full, carries the chain over, and keeps some', async (t) => {
    const folder = folderOf(t);
    const size = { bytesMax: 2000, keep: 3 };
    await write(
      folder,
      Array.from({ length: 20 }, () => ENTRY),
      size,
    );
    const names = filesIn(folder);
    assert.equal(names.length, 3);
    for (const name of names) assert.ok(statSync(join(folder, name)).size <= 2000, name);
    const { first, last, hasEarlier, broken } = await verifyAudit(folder);
    assert.deepEqual([broken, hasEarlier], [undefined, true]);
    assert.equal(first, Number(names[0]!.slice(6, 18)));
    await write(folder, [FAILED], size);
    assert.ok((await verifyAudit(folder)).last! > last!);
    const [, middle] = filesIn(folder);
    rmSync(join(folder, middle!));
    const [, newest] = filesIn(folder);
    assert.deepEqual((await verifyAudit(folder)).broken, {
      ...{ file: newest, line: 1, why: 'the file does not continue the one before it' },
    });
  });

  it('leaves out what would make a line too long', async (t) => {
    const folder = folderOf(t);
    await write(folder, [{ ...ENTRY, request: 'x'.repeat(400_000) }, ENTRY]);
    assert.equal((await verifyAudit(folder)).lines, 3);
    const lines = readAudit(folder);
    const long = (await lines.next()).value;
    await lines.return(undefined);
    assert.deepEqual([long?.what, long?.request, long?.who], ['attach', null, ENTRY.who]);
  });

  it('passes every change on, whatever becomes of that', async (t) => {
    const folder = folderOf(t);
    const seen: string[] = [];
    const also = ({ what }: AuditEntry, hash: string): void => {
      seen.push(`${what} ${hash.length}`);
      throw new Error('no journal');
    };
    await write(folder, [ENTRY], { also, trouble: (error) => seen.push(String(error)) });
    assert.deepEqual(seen, ['attach 64', 'Error: no journal']);
  });
});

describe('a crash in the middle of a line', () => {
  it('loses that line only, wherever it is, and the next one says so', async (t) => {
    const folder = folderOf(t);
    await write(folder, [ENTRY, FAILED]);
    const path = join(folder, filesIn(folder)[0]!);
    const whole = readFileSync(path);
    const start = whole.lastIndexOf('\n', whole.length - 2) + 1;
    for (let cut = start; cut < whole.length; cut += cut < start + 3 || cut > whole.length - 4 ? 1 : 29) {
      writeFileSync(path, whole);
      truncateSync(path, cut);
      assert.equal((await verifyAudit(folder)).isOpen, cut > start);
      await write(folder, [ENTRY]);
      const isTorn = cut > start && cut < whole.length - 1;
      const { broken, torn, last, isOpen } = await verifyAudit(folder);
      assert.deepEqual([broken, torn, isOpen], [undefined, isTorn ? 1 : 0, false], `cut at ${cut - start}`);
      assert.equal(last, cut < whole.length - 1 && !isTorn ? 3 : 4);
      assert.deepEqual(await changes(folder), [
        '2 attach',
        ...(cut === whole.length - 1 ? ['3 detach'] : []),
        `${last} attach`,
      ]);
    }
  });

  it('at the beginning of a file loses nothing', async (t) => {
    const folder = folderOf(t);
    await write(folder, [ENTRY, ENTRY]);
    for (const text of ['', '{"line":"beg']) {
      writeFileSync(join(folder, 'audit-000000000004.jsonl'), text);
      await write(folder, [FAILED]);
      assert.equal((await verifyAudit(folder)).broken, undefined);
    }
    assert.deepEqual(await changes(folder), ['2 attach', '3 attach', '4 detach', '5 detach']);
    rmSync(folder, { recursive: true });
    await write(folder, []);
    writeFileSync(join(folder, 'audit-000000000001.jsonl'), '{"li');
    await write(folder, [ENTRY]);
    assert.equal((await verifyAudit(folder)).lines, 2);
  });

  it('is also a disk that is full, after which the same process goes on', async (t) => {
    const folder = folderOf(t);
    const program = `
      import { spawnSync } from 'node:child_process';
      import { openAudit } from ${JSON.stringify(new URL('../../src/audit/index.js', import.meta.url).href)};
      const log = await openAudit(${JSON.stringify(folder)});
      const add = () => log.append(${JSON.stringify(ENTRY)}).catch(({ code }) => console.log(code));
      for (let n = 0; n < 8; n++) await add();
      spawnSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited']);
      await add();
      await log.close();`;
    // A file gets no longer than 2048 bytes: what a full disk does to a write.
    const limited = 'trap "" XFSZ; ulimit -S -f 4; exec "$0" --input-type=module -e "$1"';
    const { stdout, stderr } = spawnSync('sh', ['-c', limited, process.execPath, program], {
      encoding: 'utf8',
    });
    const failures = stdout.trimEnd().split('\n').length;
    assert.ok(/^(io\n)+$/.test(stdout) && failures < 8, `${stdout}${stderr}`);
    const { broken, torn } = await verifyAudit(folder);
    assert.deepEqual([broken, torn], [undefined, 1]);
    assert.equal((await changes(folder)).length, 9 - failures);
  });

  it('is not what an unreadable line is taken for', async (t) => {
    const folder = folderOf(t);
    await write(folder, [ENTRY, ENTRY]);
    const [name] = filesIn(folder);
    writeFileSync(join(folder, name!), `${readFileSync(join(folder, name!), 'utf8')}garbage\n`);
    await write(folder, [FAILED]);
    assert.deepEqual((await verifyAudit(folder)).broken, { file: name, line: 4, why: 'it cannot be read' });
    // What comes after it can still be trusted: by itself.
    rmSync(join(folder, name!));
    assert.deepEqual((await verifyAudit(folder)).broken, undefined);
    assert.deepEqual(await changes(folder), ['6 detach']);
  });
});

describe('the steps of an operation', () => {
  it('are written down with what came of them', async () => {
    await using stage = await openStage();
    await using host = await openHost({ environment: stage.env });
    const recorder = new StepRecorder();
    await attachDevice(host, { domain: 'u1', device: '4-1' }, { onStep: recorder.onStep, watchMs: 0 });
    assert.ok(recorder.steps.length > 3);
    assert.deepEqual([...new Set(recorder.steps.map(({ outcome }) => outcome))], ['done']);
    const undone = new StepRecorder();
    const abort = new AbortController();
    let done = 0;
    const attaching = attachDevice(
      host,
      { domain: 'u1', device: '1-1' },
      {
        watchMs: 0,
        signal: abort.signal,
        onStep(progress) {
          undone.onStep(progress);
          if (progress.phase === 'done' && ++done === 3) abort.abort();
        },
      },
    );
    await assert.rejects(attaching);
    const outcomes = undone.steps.map(({ outcome }) => outcome);
    assert.ok(outcomes.includes('undone') && outcomes.includes('failed'), outcomes.join(' '));
  });
});
