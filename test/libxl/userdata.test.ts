/** A domain's file: read, written in one step, and everything that may be in its place. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadFlock } from '../../src/libxl/flock.js';
import {
  type LibxlError,
  type LibxlErrorCode,
  type LockedUserdata,
  openUserdata,
  SavedConfig,
} from '../../src/libxl/index.js';
import { Actor, DOMAIN, Folder } from './folder.js';
import { captured, failsWith } from './support.js';

const BYTES = captured('10-base/dom0');
const CONFIG = SavedConfig.parse(BYTES);
const CHANGED = CONFIG.withController({ devid: 0, type: 'pv', version: 2, ports: 8 });

/** Runs `body` as a user without rights: root is never refused. */
async function asNobody<T>(body: () => Promise<T>): Promise<T> {
  // The other user may not have access to our own files.
  await loadFlock();
  if (process.geteuid!() !== 0) return body();
  process.seteuid!('nobody');
  try {
    return await body();
  } finally {
    process.seteuid!('root');
  }
}

function withLock<T>(folder: Folder, body: (userdata: LockedUserdata) => Promise<T>): Promise<T> {
  return openUserdata({ root: folder.path }).withLock(DOMAIN, {}, body);
}

describe("a domain's file", () => {
  it('is read, changed, and readable for its owner only afterwards', async () => {
    using folder = new Folder();
    writeFileSync(folder.file('d'), BYTES, { mode: 0o644 });
    const result = await withLock(folder, async (userdata) => {
      const saved = await userdata.read();
      assert.deepEqual(saved?.toBytes(), BYTES);
      await userdata.write(CHANGED);
      assert.deepEqual(folder.files, ['d', 'l']);
      return (await userdata.read())?.controllers;
    });
    assert.deepEqual(result, [{ devid: 0, type: 'pv', version: 2, ports: 8 }]);
    assert.deepEqual(readFileSync(folder.file('d')), CHANGED.toBytes());
    assert.equal(statSync(folder.file('d')).mode & 0o7777, 0o600);
    assert.deepEqual(folder.files, ['d']);
  });

  it('that does not exist is undefined, can be written, and can be removed', async () => {
    using folder = new Folder();
    await withLock(folder, async ({ read, write, remove }) => {
      assert.equal(await read(), undefined);
      await remove();
      await write(CONFIG);
      assert.deepEqual((await read())?.toBytes(), BYTES);
      await remove();
      assert.equal(await read(), undefined);
    });
    assert.deepEqual(folder.files, []);
  });

  it('is written over what a dead writer has left', async () => {
    using folder = new Folder();
    symlinkSync(join(folder.path, 'elsewhere'), folder.file('n'));
    await withLock(folder, ({ write }) => write(CONFIG));
    assert.deepEqual(readFileSync(folder.file('d')), BYTES);
    assert.deepEqual(folder.files, ['d']);
  });

  it('is not used after the lock was released, nor before a call that was not awaited has ended', async () => {
    using folder = new Folder();
    let writes: Promise<void> | undefined;
    const late = await withLock(folder, async (userdata) => {
      writes = userdata.write(CONFIG);
      return userdata;
    });
    assert.deepEqual(folder.files, ['d']);
    await writes;
    for (const use of [() => late.read(), () => late.write(CHANGED), () => late.remove()]) {
      await assert.rejects(use, /has been released/);
    }
    assert.deepEqual(readFileSync(folder.file('d')), BYTES);
  });

  it('needs a directory only to be written', async () => {
    using folder = new Folder();
    const userdata = openUserdata({ root: join(folder.path, 'none') });
    await userdata.withLock(DOMAIN, {}, async ({ read, write, remove }) => {
      assert.equal(await read(), undefined);
      await remove();
      await failsWith('no-directory', () => write(CONFIG));
    });
    assert.deepEqual(folder.files, []);
  });
});

/** What may be in the file's place; `make` puts it there. */
const BAD: readonly (readonly [what: string, code: LibxlErrorCode, make: (path: string) => void])[] = [
  ['cut off', 'malformed', (path) => writeFileSync(path, BYTES.subarray(0, BYTES.length / 2))],
  ['empty', 'malformed', (path) => writeFileSync(path, '')],
  [
    'of another kind',
    'malformed',
    (path) => writeFileSync(path, Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0xff])),
  ],
  ['with the wrong structure', 'malformed', (path) => writeFileSync(path, '{"usbctrls": {}}\n\0')],
  ['of 50 MB', 'too-large', (path) => makeLarge(path, 50 * 1024 * 1024)],
  ['a symbolic link', 'not-a-file', (path) => symlinkSync('/etc/hostname', path)],
  ['a symbolic link to nothing', 'not-a-file', (path) => symlinkSync('none', path)],
  ['a directory', 'not-a-file', (path) => mkdirSync(path)],
  ['a FIFO', 'not-a-file', (path) => execFileSync('mkfifo', [path])],
];

function makeLarge(path: string, bytes: number): void {
  writeFileSync(path, '');
  truncateSync(path, bytes);
}

describe('what is in place of a file', () => {
  for (const [what, code, make] of BAD) {
    it(`is refused and left alone: ${what}`, async () => {
      using folder = new Folder();
      make(folder.file('d'));
      const told = (): string => execFileSync('stat', ['-c', '%i %F %s %a %Y', folder.file('d')]).toString();
      const before = told();
      const error = await failsWith(code, () => withLock(folder, ({ read }) => read()));
      assert.equal(error.path, folder.file('d'));
      assert.ok(error.message.startsWith(`${folder.file('d')}: `), error.message);
      assert.equal(error.line !== undefined, code === 'malformed');
      if (code === 'not-a-file') {
        await failsWith(code, () => withLock(folder, ({ write }) => write(CONFIG)));
        await failsWith(code, () => withLock(folder, ({ remove }) => remove()));
      }
      assert.equal(told(), before);
      assert.deepEqual(folder.files, ['d']);
    });
  }

  it('is refused: a file that we may not read', async () => {
    using folder = new Folder();
    chmodSync(folder.path, 0o777);
    writeFileSync(folder.file('d'), BYTES, { mode: 0 });
    const error = await failsWith('denied', () => asNobody(() => withLock(folder, ({ read }) => read())));
    assert.equal(error.path, folder.file('d'));
    assert.deepEqual(folder.files, ['d']);
  });

  it('is refused: a directory that we may not write', async () => {
    using folder = new Folder();
    writeFileSync(folder.file('d'), BYTES);
    chmodSync(folder.path, 0o555);
    const error = await failsWith('denied', () => asNobody(() => withLock(folder, ({ read }) => read())));
    assert.equal(error.path, folder.file('l'));
    chmodSync(folder.path, 0o755);
    assert.deepEqual(folder.files, ['d']);
  });

  it('is refused: a directory that becomes read-only while the lock is held; the file stays as it is', async () => {
    using folder = new Folder();
    writeFileSync(folder.file('d'), BYTES);
    chmodSync(folder.path, 0o777);
    const run = withLock(folder, async ({ write }) => {
      chmodSync(folder.path, 0o555);
      await asNobody(() => write(CHANGED)).finally(() => chmodSync(folder.path, 0o777));
    });
    await failsWith('denied', () => run);
    assert.deepEqual(readFileSync(folder.file('d')), BYTES);
    assert.deepEqual(folder.files, ['d']);
  });

  it('is refused: a place where the new file cannot be moved to, and no new file stays', async () => {
    using folder = new Folder();
    // In a sticky directory nobody may replace another's file.
    writeFileSync(folder.file('d'), BYTES);
    chmodSync(folder.path, 0o1777);
    const isRoot = process.geteuid!() === 0;
    if (!isRoot) mkdirSync(folder.file('n'));
    const wanted: LibxlErrorCode = isRoot ? 'denied' : 'not-a-file';
    await failsWith(wanted, () => asNobody(() => withLock(folder, ({ write }) => write(CHANGED))));
    assert.deepEqual(readFileSync(folder.file('d')), BYTES);
    assert.deepEqual(folder.files, isRoot ? ['d'] : ['d', 'n']);
  });

  it('is refused: a disk that is full halfway, and no new file stays', async () => {
    using folder = new Folder();
    writeFileSync(folder.file('d'), BYTES);
    await using writer = Actor.limited(1024, 'writing', folder.path);
    assert.equal(await writer.ended, 0, writer.complaints);
    assert.deepEqual(writer.lines, ['io EFBIG', 'd,l']);
    assert.deepEqual(readFileSync(folder.file('d')), BYTES);
    assert.deepEqual(folder.files, ['d']);
  });

  it('is refused: a directory of libxl that is a file', async () => {
    using folder = new Folder();
    writeFileSync(join(folder.path, 'xen'), '');
    const userdata = openUserdata({ root: join(folder.path, 'xen') });
    await failsWith('no-directory', () => userdata.withLock(DOMAIN, {}, async () => undefined));
  });
});

describe('the name of a domain', () => {
  const BAD_UUIDS = [
    '',
    '../../../etc/passwd',
    '01e4bb79-e7ca-4b67-86a3-012082fb292',
    '01e4bb79-e7ca-4b67-86a3-012082fb292f0',
    '01e4bb79-e7ca-4b67-86a3-012082fb292g',
    '01e4bb79-e7ca-4b67-86a3-01208/../292',
    '01e4bb79-e7ca-4b67-86a3-012082fb292f\n',
    '01e4bb79e7ca4b6786a3012082fb292f0000',
    '------------------------------------',
    '\u001b[31m\u202e',
  ];

  for (const uuid of BAD_UUIDS) {
    it(`is not a path: ${encodeURI(uuid)}`, async () => {
      using folder = new Folder();
      const userdata = openUserdata({ root: folder.path });
      const run = (): Promise<void> => userdata.withLock({ domid: 1, uuid }, {}, async () => assert.fail());
      const error: LibxlError = await failsWith('invalid-uuid', run);
      assert.match(error.message, /^[\x20-\x7e]*$/);
      assert.deepEqual(folder.files, []);
    });
  }

  it('has a number that a domain can have', async () => {
    using folder = new Folder();
    const userdata = openUserdata({ root: folder.path });
    for (const domid of [-1, 1.5, Number.NaN, 0x7ff0]) {
      const run = userdata.withLock({ ...DOMAIN, domid }, {}, async () => assert.fail());
      await assert.rejects(run, RangeError);
    }
  });
});
