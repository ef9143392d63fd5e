/** The lock of a domain's files, against other processes: ours, and the flock utility using libxl's protocol. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type Clock, systemClock } from '../../src/async/index.js';
import { pidOfHolder } from '../../src/libxl/holder.js';
import { LibxlError, openUserdata, SavedConfig } from '../../src/libxl/index.js';
import { acquire } from '../../src/libxl/lock.js';
import { projectRoot } from '../xenstored/fetch.js';
import { Actor, DOMAIN, Folder } from './folder.js';
import { failsWith } from './support.js';

/** How far each process counts; LOCK_ROUNDS=100 for the long run. */
const ROUNDS = Number(process.env.LOCK_ROUNDS ?? 4);

/** Processes of each kind: ours, and those with the flock utility. */
const EACH = 6;

const openFiles = (): number => readdirSync('/proc/self/fd').length;

/** Holds the lock with the flock utility until its input ends; the one line it prints says so. */
function utility(folder: Folder): Actor {
  return new Actor('flock', [folder.file('l'), '-c', 'echo held; cat']);
}

/** A clock on which a pause takes no time, and which records how long each was. */
function fastClock(): Clock & { readonly pauses: number[] } {
  const pauses: number[] = [];
  let nowMs = 0;
  const limits: { readonly atMs: number; readonly end: () => void }[] = [];
  return {
    pauses,
    nowMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (ms >= 100) {
          signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
          limits.push({ atMs: nowMs + ms, end: resolve });
          return;
        }
        pauses.push(ms);
        nowMs += ms;
        for (const { atMs, end } of limits) if (atMs <= nowMs) end();
        setImmediate(() => (signal?.aborted ? reject(signal.reason) : resolve()));
      }),
  };
}

describe('the lock', () => {
  it('is a locked file while it is held, and gone afterwards', async () => {
    using folder = new Folder();
    const userdata = openUserdata({ root: folder.path });
    const result = await userdata.withLock(DOMAIN, {}, async () => {
      assert.deepEqual(folder.files, ['l']);
      assert.equal(statSync(folder.file('l')).mode & 0o777, 0o600);
      await using other = new Actor('flock', ['-n', folder.file('l'), 'true']);
      assert.equal(await other.ended, 1);
      return 'done';
    });
    assert.equal(result, 'done');
    assert.deepEqual(folder.files, []);
  });

  it('is released when what is done under it fails', async () => {
    using folder = new Folder();
    const before = openFiles();
    const userdata = openUserdata({ root: folder.path });
    const failure = new Error('of the body');
    const run = userdata.withLock(DOMAIN, {}, async () => {
      unlinkSync(folder.file('l'));
      throw failure;
    });
    await assert.rejects(run, (error) => error === failure);
    assert.deepEqual(folder.files, []);
    assert.equal(openFiles(), before);
  });

  it('is taken on the file that is now at the path, whoever still holds the previous one', async () => {
    using folder = new Folder();
    await using holder = utility(folder);
    await holder.says('held');
    const waits = openUserdata({ root: folder.path }).withLock(DOMAIN, {}, async () =>
      statSync(folder.file('l'), { bigint: true }),
    );
    // The holder's file is removed, and a third process makes another: the holder no longer has anything.
    unlinkSync(folder.file('l'));
    writeFileSync(folder.file('l'), '');
    const second = statSync(folder.file('l'), { bigint: true });
    assert.equal((await waits).ino, second.ino);
    assert.deepEqual(folder.files, []);
  });

  it('is waited for in growing pauses, at most 25 ms, and not beyond the limit', async () => {
    using folder = new Folder();
    await using holder = utility(folder);
    await holder.says('held');
    const before = openFiles();
    const clock = fastClock();
    const userdata = openUserdata({ root: folder.path });
    const error = await failsWith('timeout', () =>
      userdata.withLock(DOMAIN, { clock, withinMs: 5000 }, async () => assert.fail('not locked')),
    );
    assert.deepEqual(clock.pauses.slice(0, 7), [1, 2, 4, 8, 16, 25, 25]);
    assert.ok(clock.nowMs() >= 5000 && clock.nowMs() <= 5050, `${clock.nowMs()}`);
    assert.deepEqual(error.holder, { pid: holder.child.pid, command: 'flock' });
    assert.equal(
      error.message,
      `${folder.file('l')}: held by process ${holder.child.pid} (flock), after waiting 5000 ms`,
    );
    assert.deepEqual(folder.files, ['l']);
    assert.equal(openFiles(), before);
  });

  it('is no longer waited for once the signal aborts, and not at all if it has aborted', async () => {
    using folder = new Folder();
    await using holder = utility(folder);
    await holder.says('held');
    const before = openFiles();
    const userdata = openUserdata({ root: folder.path });
    const abort = new AbortController();
    const clock: Clock = {
      ...systemClock,
      sleep: (ms, signal) => {
        if (ms === 8) abort.abort(new Error('no more'));
        return systemClock.sleep(ms, signal);
      },
    };
    const waits = userdata.withLock(DOMAIN, { signal: abort.signal, clock }, async () =>
      assert.fail('locked'),
    );
    await assert.rejects(waits, (error) => error === abort.signal.reason);
    const late = userdata.withLock(DOMAIN, { signal: abort.signal }, async () => assert.fail('locked'));
    await assert.rejects(late, (error) => error === abort.signal.reason);
    assert.deepEqual(folder.files, ['l']);
    assert.equal(openFiles(), before);
    holder.child.stdin!.end();
    await holder.ended;
    unlinkSync(folder.file('l'));
    await assert.rejects(
      userdata.withLock(DOMAIN, { signal: abort.signal }, async () => assert.fail('locked')),
    );
    assert.deepEqual(folder.files, []);
  });

  it('is free as soon as its holder is killed, and its file is removed', async () => {
    using folder = new Folder();
    await using holder = Actor.script('holding', folder.path);
    await holder.says('held');
    const userdata = openUserdata({ root: folder.path });
    const error = await failsWith('timeout', () =>
      userdata.withLock(DOMAIN, { withinMs: 30 }, async () => undefined),
    );
    assert.equal(error.holder?.pid, holder.child.pid);
    const waits = userdata.withLock(DOMAIN, {}, async () => folder.files);
    holder.child.kill('SIGKILL');
    assert.deepEqual(await waits, ['l']);
    assert.equal(await holder.ended, 'SIGKILL');
    assert.deepEqual(folder.files, []);
  });

  it('is separate for each domain, and exclusive within a process too', async () => {
    using folder = new Folder();
    const [one, other] = [openUserdata({ root: folder.path }), openUserdata({ root: folder.path })];
    const order: string[] = [];
    await one
      .withLock(DOMAIN, {}, async () => {
        await one.withLock({ ...DOMAIN, domid: 3 }, {}, async () => order.push('another domain'));
        const second = other.withLock(DOMAIN, {}, async () => order.push('second'));
        await one.withLock({ ...DOMAIN, domid: 4 }, {}, async () => order.push('a third domain'));
        order.push('first');
        return { second };
      })
      .then(({ second }) => second);
    assert.deepEqual(order, ['another domain', 'a third domain', 'first', 'second']);
    assert.deepEqual(folder.files, []);
  });

  it('is refused if its file is not one', async () => {
    using folder = new Folder();
    const userdata = openUserdata({ root: folder.path });
    const before = openFiles();
    for (const make of [
      () => symlinkSync(join(folder.path, 'elsewhere'), folder.file('l')),
      () => mkdirSync(folder.file('l')),
      () => execFileSync('mkfifo', [folder.file('l')]),
    ]) {
      make();
      await failsWith('not-a-file', () => userdata.withLock(DOMAIN, {}, async () => assert.fail('locked')));
      assert.deepEqual(folder.files, ['l']);
      rmSync(folder.file('l'), { recursive: true });
    }
    assert.equal(openFiles(), before);
  });

  it('is released at once if it is obtained just as the wait ends', async () => {
    using folder = new Folder();
    const before = openFiles();
    const abort = new AbortController();
    const flock = (): boolean => {
      abort.abort(new Error('no more'));
      return true;
    };
    const wait = { clock: systemClock, withinMs: 10_000, signal: abort.signal };
    const run = acquire(folder.file('l'), async () => flock, wait);
    await assert.rejects(run, (error) => error === abort.signal.reason);
    assert.deepEqual(folder.files, []);
    assert.equal(openFiles(), before);
  });

  it('leaves no file where flock cannot be called', async () => {
    using folder = new Folder();
    const unsupported = new LibxlError('unsupported', 'no flock');
    const wait = { clock: systemClock, withinMs: 10_000 };
    await failsWith('unsupported', () => acquire(folder.file('l'), () => Promise.reject(unsupported), wait));
    assert.deepEqual(folder.files, []);
  });

  it(`lets ${2 * EACH} processes count in one file without losing a count`, async () => {
    using folder = new Folder();
    const config = '{\n    "c_info": {\n\n    }\n}\n\0';
    const start = SavedConfig.parse(Buffer.from(config)).withController({ devid: 0, type: 'pv', ports: 1 });
    writeFileSync(folder.file('d'), start.toBytes());
    const script = join(projectRoot(), 'test/libxl/hammer.sh');
    const id = `${DOMAIN.domid}.${DOMAIN.uuid}`;
    const actors = Array.from({ length: EACH }, () => [
      Actor.script('hammer', folder.path, `${ROUNDS}`),
      new Actor('bash', [script, folder.path, `${ROUNDS}`, id]),
    ]).flat();
    try {
      await Promise.all(actors.map((actor) => actor.says('ready')));
      for (const actor of actors) actor.child.stdin!.end('go\n');
      for (const actor of actors) assert.equal(await actor.ended, 0, actor.complaints);
    } finally {
      await Promise.all(actors.map((actor) => actor[Symbol.asyncDispose]()));
    }
    const saved = SavedConfig.parse(readFileSync(folder.file('d')));
    assert.deepEqual(saved.controllers, [{ devid: 0, type: 'pv', ports: 1 + 2 * EACH * ROUNDS }]);
    assert.deepEqual(folder.files, ['d']);
  });
});

describe('the holder of a lock', () => {
  const file = { dev: 0xfe00n, ino: 42n };
  const LOCKS = [
    '1: OFDLCK ADVISORY  READ -1 fe:00:42 203 203',
    '2: POSIX  ADVISORY  WRITE 10 fe:00:42 0 EOF',
    '3: -> FLOCK  ADVISORY  WRITE 11 fe:00:42 0 EOF',
    '4: FLOCK  ADVISORY  READ  12 fe:00:42 0 EOF',
    '5: FLOCK  ADVISORY  WRITE 13 fe:00:420 0 EOF',
  ].join('\n');
  const held = (pid: number, device: string): string =>
    `\n6: FLOCK  ADVISORY  WRITE ${pid} ${device}:42 0 EOF`;

  it('is the one with an exclusive flock, by inode, and by device if that decides', () => {
    assert.equal(pidOfHolder(LOCKS, file), undefined);
    assert.equal(pidOfHolder('', file), undefined);
    assert.equal(pidOfHolder(LOCKS + held(14, 'fe:00'), file), 14);
    assert.equal(pidOfHolder(LOCKS + held(14, '00:1b'), file), 14);
    assert.equal(pidOfHolder(LOCKS + held(14, '00:1b') + held(15, 'fe:00'), file), 15);
    assert.equal(pidOfHolder(LOCKS + held(14, '00:1b') + held(15, '00:1c'), file), undefined);
    assert.equal(pidOfHolder(LOCKS + held(0, 'fe:00'), file), undefined);
  });
});
