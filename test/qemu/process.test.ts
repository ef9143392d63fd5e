/** The process of a QEMU that we start: what it is called with, and what is left when it ends. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { systemClock } from '../../src/async/index.js';
import { openQemuRunner, type QemuGuest } from '../../src/qemu/index.js';

const folder = await mkdtemp(join(tmpdir(), 'pvusb-qemu-'));
after(() => rm(folder, { recursive: true }));

const GUEST: QemuGuest = { domid: 7, name: 'u,7', memoryMib: 160 };

/** A program that is called like this and does this. */
async function program(name: string, ...lines: string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, ['#!/bin/sh', ...lines, ''].join('\n'));
  await chmod(path, 0o755);
  return path;
}

function places(program: string, more: { readonly systemdRoot?: string } = {}) {
  const systemdRoot = more.systemdRoot ?? join(folder, 'no-systemd');
  return {
    runRoot: join(folder, 'run'),
    logRoot: join(folder, 'log'),
    systemdRoot,
    programs: ['/none', program],
  };
}

describe('the process', () => {
  it('is what libxl would start, outlives who has started it, and is ended with what it leaves', async () => {
    const qemu = await program(
      'qemu',
      'echo "limit $XEN_QEMU_CONSOLE_LIMIT"; printf "%s\\n" "$@"; exec sleep 600',
    );
    const runner = openQemuRunner(systemClock, places(qemu));
    const started = await runner.start(GUEST);
    try {
      assert.match(started, /^\d+ \d+$/);
      assert.equal(runner.logOf(GUEST), join(folder, 'log/qemu-dm-7.log'), 'a name that is none of a file');
      assert.equal(runner.logOf({ domid: 7, name: 'u7' }), join(folder, 'log/qemu-dm-u7.log'));
      let log = '';
      while (!log.endsWith('-m\n160\n')) log = await readFile(runner.logOf(GUEST), 'utf8');
      assert.equal(
        log.replaceAll(folder, '').replaceAll('\n', ' '),
        'limit 1048576 -xen-domid 7 -no-shutdown ' +
          '-chardev socket,id=libxl-cmd,path=/run/qmp-libxl-7,server=on,wait=off -mon chardev=libxl-cmd,mode=control ' +
          '-chardev socket,id=libxenstat-cmd,path=/run/qmp-libxenstat-7,server=on,wait=off ' +
          '-mon chardev=libxenstat-cmd,mode=control -nodefaults -no-user-config -xen-attach -name guest=u,,7 ' +
          '-vnc none -display none -nographic -machine xenpv -m 160 ',
      );
      assert.equal(await runner.isAlive(started), true);
      const session = spawnSync('ps', ['-o', 'sid=', '-p', started.split(' ')[0]!], { encoding: 'utf8' });
      assert.equal(session.stdout.trim(), started.split(' ')[0], 'a session of its own');
      await writeFile(join(folder, 'run/qmp-libxl-7'), '');
    } finally {
      await runner.end(started, 7);
    }
    assert.equal(await runner.isAlive(started), false);
    await assert.rejects(readFile(join(folder, 'run/qmp-libxl-7')), { code: 'ENOENT' });
    await runner.end(started, 7);
  });

  it('is in a unit of its own where there is systemd', async () => {
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await mkdir(join(folder, 'systemd'));
    const qemu = await program('qemu-in-unit', 'exec sleep 600');
    // Takes what systemd-run is given: everything after "--" is started, and its pid is kept.
    await program(
      'bin/systemd-run',
      `printf "%s\\n" "$@" > ${folder}/asked`,
      'while [ "$1" != -- ]; do shift; done; shift',
      `"$@" > /dev/null 2>&1 & echo $! > ${folder}/pid`,
    );
    await program('bin/systemctl', `printf "%s\\n" "$@" >> ${folder}/asked; cat ${folder}/pid`);
    const path = process.env.PATH;
    process.env.PATH = `${bin}:${path}`;
    const runner = openQemuRunner(systemClock, places(qemu, { systemdRoot: join(folder, 'systemd') }));
    try {
      const started = await runner.start({ ...GUEST, name: '$HOME,7' });
      assert.equal(started.split(' ')[0], (await readFile(join(folder, 'pid'), 'utf8')).trim());
      await runner.end(started, 7);
    } finally {
      process.env.PATH = path;
    }
    const asked = await readFile(join(folder, 'asked'), 'utf8');
    for (const line of [
      '--collect',
      '--unit=pvusb-qemu-7.service',
      '--setenv=XEN_QEMU_CONSOLE_LIMIT=1048576',
      // What stands for a dollar sign in a unit (systemd.service(5)).
      'guest=$$HOME,,7',
    ])
      assert.ok(asked.split('\n').includes(line), line);
    assert.match(asked, /--property=StandardError=append:.*log\/qemu-dm-7\.log\n/);
    assert.match(asked, /show\n--property=MainPID\n--value\npvusb-qemu-7\.service\n/);
  });

  it('is found when whoever has started it did not live to say so', async () => {
    const qemu = await program(
      'qemu-found',
      `exec ${process.execPath} -e 'setInterval(String, 1e6)' -- "$@"`,
    );
    const runner = openQemuRunner(systemClock, places(qemu));
    const started = await runner.start(GUEST);
    try {
      // The shell has the same words.
      assert.deepEqual(await runner.find(7), [started]);
      assert.deepEqual(await runner.find(77), []);
    } finally {
      await runner.end(started, 7);
    }
    assert.deepEqual(await runner.find(7), []);
  });

  it('cannot be where no QEMU is installed', async () => {
    const runner = openQemuRunner(systemClock, places('/nowhere'));
    await assert.rejects(runner.start(GUEST), /no QEMU for Xen is installed/);
  });
});
