/** The C library's calls, and waiting in the event loop, on this machine. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { JOURNAL_BYTES, Journal } from '../../src/backend/journal.js';
import { LinuxError } from '../../src/linux/errors.js';
import { openJournal, removeJournal } from '../../src/linux/journal-file.js';
import { loadLibc, O_NONBLOCK, O_RDWR } from '../../src/linux/libc.js';
import { UsbfsRequest } from '../../src/linux/usbfs-numbers.js';

describe('the C library of this machine', () => {
  it('gives memory, and waits for a device in the event loop', async () => {
    const libc = await loadLibc();
    const block = libc.allocate(8192);
    block.bytes[8191] = 7;
    assert.equal(block.address % 4096, 0);
    const fd = libc.open('/dev/random', 0o4000);
    const read = await new Promise<number>((resolve) => {
      const end = libc.wait(
        fd,
        { readable: true },
        () => {
          end();
          resolve(libc.read(fd, block.address, 100));
        },
        () => assert.fail('lost'),
      );
    });
    assert.equal(read, 100);
    assert.notDeepEqual(block.bytes.subarray(0, 100), new Uint8Array(100));
    assert.ok(libc.ioctl(fd, UsbfsRequest.getSpeed, 0) < 0, 'not a USB device');
    assert.ok((await libc.ioctlLater(fd, UsbfsRequest.reset, 0)) < 0);
    libc.close(fd);
    libc.unmap(block);
  });

  it('gives the event loop its turn, also where events never end', async () => {
    const libc = await loadLibc();
    const fds = [0, 1].map(() => libc.open('/dev/random', O_NONBLOCK));
    // They always have something.
    const events = [0, 0];
    const ends = fds.map((fd, at) =>
      libc.wait(
        fd,
        { readable: true },
        () => {
          events[at]!++;
          if (events[at] === 500) void libc.ioctlLater(fd, UsbfsRequest.reset, 0).then(done);
        },
        () => assert.fail('lost'),
      ),
    );
    let isDone = 0;
    const done = (): void => {
      isDone++;
    };
    while (isDone < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    const [first, second] = ends;
    first!();
    const before = [...events];
    while (events[1]! < before[1]! + 500) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(events[0], before[0], 'one that has ended is told nothing');
    second!();
    for (const fd of fds) libc.close(fd);
  });

  it('lets the process end, whatever it still waits for', async () => {
    // Nothing ever comes from a terminal that nobody has.
    const program = `
      const { loadLibc } = await import(${JSON.stringify(import.meta.resolve('../../src/linux/libc.js'))});
      const libc = await loadLibc();
      libc.wait(libc.open('/dev/ptmx', ${O_RDWR | O_NONBLOCK}), { readable: true }, process.abort, process.abort);
      process.on('SIGTERM', () => libc.endWaits());
      setTimeout(() => console.log('waits'), 1).unref();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill();
    assert.deepEqual(await once(child, 'close'), [0, null]);
  });

  it('lets the process end with what a callback throws, whoever called that', async () => {
    for (const at of [1, 5]) {
      const program = `
        const { loadLibc } = await import(${JSON.stringify(import.meta.resolve('../../src/linux/libc.js'))});
        const libc = await loadLibc();
        let events = 0;
        libc.wait(libc.open('/dev/random', ${O_NONBLOCK}), { readable: true }, () => {
          if (++events === ${at}) throw new RangeError('thrown by a callback');
        }, process.abort);
        setTimeout(() => process.exit(0), 2000);`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let said = '';
      child.stderr.on('data', (chunk) => {
        said += chunk;
      });
      assert.deepEqual(await once(child, 'close'), [1, null], `at event ${at}`);
      assert.match(said, /RangeError: thrown by a callback/);
    }
  });

  it('keeps a journal in a file, for whoever maps it next', async () => {
    const libc = await loadLibc();
    const folder = mkdtempSync(join(tmpdir(), 'pvusb-journal-'));
    const path = join(folder, 'run/3-0.journal');
    const connected = { urbRef: 8, connectionRef: 9, eventChannel: 3 };
    new Journal(openJournal(libc, path)).begin(connected);
    new Journal(openJournal(libc, path)).open(5, 77);
    const left = new Journal(openJournal(libc, path));
    assert.ok(left.isOf(connected));
    assert.deepEqual(left.left(0)?.open, [{ slot: 5, id: 77 }]);
    assert.equal(readFileSync(path).length, JOURNAL_BYTES);
    removeJournal(path);
    assert.equal(new Journal(openJournal(libc, path)).isOf(connected), false);
    rmSync(folder, { recursive: true });
  });

  it('refuses to wait for other files, and names what is missing', async () => {
    const libc = await loadLibc();
    const fd = openSync('package.json', 'r');
    assert.throws(() => libc.wait(fd, {}, assert.fail, assert.fail), LinuxError);
    closeSync(fd);
    assert.throws(() => libc.open('/nowhere', 0), { code: 'ENOENT' });
    assert.throws(() => libc.map(-1, 4096, 0), { code: 'EBADF' });
  });
});
