/**
 * Real block devices: loop devices of this machine, to which a made-up sysfs gives a place on USB; /proc and /dev are
 * the real ones. What the kernel or the machine lacks is named and skipped.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openHostUses } from '../../src/hostuse/index.js';
import { toolOrSkip } from '../support/debian-tool.js';
import { orSkip, programOf, programPath, skipFor } from '../support/needs.js';
import { Machine, mountPoint, onUsb, run } from './machine.js';
import { device, told } from './tree.js';

const NEEDED = ['losetup', 'mount', 'umount', 'mkfs.ext4', 'mkswap', 'swapon', 'swapoff', 'unshare'];

describe('a real block device', async () => {
  const kernel = skipFor(
    'real block devices',
    existsSync('/dev/loop-control') && process.getuid?.() === 0
      ? undefined
      : 'only root on a host has loop devices',
  );
  const machine = await orSkip('real block devices', 'mount, util-linux and e2fsprogs', () => {
    if (kernel === false) for (const program of NEEDED) programOf(program);
    return true;
  });
  const skip = kernel || machine.skip;

  const on =
    (body: (machine: Machine) => Promise<void>) =>
    async (test: TestContext): Promise<void> => {
      const machine = new Machine(test);
      try {
        await body(machine);
      } finally {
        machine.end();
      }
    };

  it(
    'is free',
    { skip },
    on(async (machine) => {
      assert.deepEqual(await machine.uses([machine.loop().name]), []);
    }),
  );

  it(
    'is mounted, in a list and before an attach',
    { skip },
    on(async (machine) => {
      const { name, path } = machine.loop();
      run('mkfs.ext4', '-q', path);
      const at = machine.mount(path);
      const expected = [`1-1 refuse mounted: ${name} on it is mounted at ${at}`];
      assert.deepEqual(await machine.uses([name]), expected);
      assert.deepEqual(await machine.uses([name], false), expected);
    }),
  );

  it(
    'is mounted where only another process sees it',
    { skip },
    on(async (machine) => {
      const { name, path } = machine.loop();
      run('mkfs.ext4', '-q', path);
      const script = 'mount "$0" /mnt && echo ready && exec sleep 1000';
      const child = spawn('unshare', ['-m', 'sh', '-c', script, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      try {
        await once(child.stdout, 'data');
        const where = `in the mount namespace of sleep (${child.pid})`;
        assert.deepEqual(await machine.uses([name]), [
          `1-1 refuse mounted: ${name} on it is mounted at /mnt ${where}`,
        ]);
        assert.deepEqual(await machine.uses([name], false), []);
      } finally {
        child.kill();
        await once(child, 'exit');
      }
    }),
  );

  it(
    'is swapped to',
    { skip },
    on(async (machine) => {
      const { name, path } = machine.loop();
      run('mkswap', path);
      run('swapon', path);
      machine.undo(() => run('swapoff', path));
      assert.deepEqual(await machine.uses([name], false), [
        `1-1 refuse swap: ${name} on it is swap space in use`,
      ]);
    }),
  );

  it(
    'is open in a program',
    { skip },
    on(async (machine) => {
      const { name, path } = machine.loop();
      const fd = openSync(path, 'r');
      const child = spawn('sleep', ['1000'], { stdio: [fd, 'ignore', 'ignore'] });
      closeSync(fd);
      const said = `1-1 refuse held: ${name} on it is open in sleep (${child.pid})`;
      try {
        assert.deepEqual(await machine.uses([name]), [said]);
        assert.deepEqual(await machine.uses([name], false), []);
      } finally {
        child.kill();
        await once(child, 'exit');
      }
    }),
  );

  it(
    'is claimed, nobody knows by whom',
    { skip },
    on(async (machine) => {
      const { name, path } = machine.loop();
      // O_EXCL on a device is what mkfs and a file system do: here nothing else shows it, since /proc is made up.
      const fd = openSync(path, constants.O_RDONLY | constants.O_EXCL);
      machine.undo(() => closeSync(fd));
      const root = machine.write(onUsb(name));
      const uses = openHostUses({
        sysfsRoot: join(root, 'sys'),
        procRoot: join(root, 'proc'),
        devRoot: '/dev',
      });
      assert.deepEqual((await uses.usesOf([device('1-1')], { thorough: true })).map(told), [
        `1-1 refuse claimed: ${name} on it is in exclusive use by the kernel`,
      ]);
    }),
  );

  const filesystems = readFileSync('/proc/filesystems', 'utf8');
  const noBtrfs = skipFor(
    'real btrfs',
    /\bbtrfs$/m.test(filesystems) ? undefined : 'the kernel has no btrfs (test:lab -- safety has it)',
  );
  const mkfs =
    skip || noBtrfs
      ? { found: undefined, skip: skip || noBtrfs }
      : await toolOrSkip({ name: 'mkfs.btrfs', packages: ['btrfs-progs'], check: ['--version'] });
  it(
    'is one of two of a btrfs',
    { skip: mkfs.skip },
    on(async (machine) => {
      const [one, other] = [machine.loop(), machine.loop()];
      const { program, environment } = mkfs.found!;
      const env = { ...process.env, ...environment };
      execFileSync(program, ['-q', '-d', 'single', '-m', 'raid1', one.path, other.path], {
        env,
        stdio: 'pipe',
      });
      run('mount', '-o', `device=${one.path},device=${other.path}`, one.path, mountPoint(machine));
      machine.undo(() => run('umount', join(machine.root, 'btrfs')));
      const at = join(machine.root, 'btrfs');
      assert.deepEqual(
        await machine.uses([one.name, other.name]),
        [one, other]
          .map(({ name }) => `1-1 refuse btrfs: ${name} on it is part of the btrfs file system at ${at}`)
          .sort(),
      );
    }),
  );

  const noMapper = skipFor(
    'real device-mapper devices',
    existsSync('/sys/class/misc/device-mapper')
      ? undefined
      : 'the kernel has no device mapper (test:lab -- safety has one)',
  );
  const dmsetup =
    noMapper || (await orSkip('real device-mapper devices', 'dmsetup', () => programOf('dmsetup'))).skip;
  it(
    'has a volume on it, as LVM and cryptsetup make them',
    { skip: skip || dmsetup },
    on(async (machine) => {
      const { name, path } = machine.loop();
      const title = `pvusb-test-${process.pid}`;
      run('dmsetup', 'create', title, '--uuid', `LVM-${title}`, '--table', `0 2048 linear ${path} 0`);
      machine.undo(() => run('dmsetup', 'remove', '--retry', title));
      assert.deepEqual(await machine.uses([name]), [
        `1-1 refuse lvm: ${name} on it is part of the LVM volume ${title}`,
      ]);
    }),
  );

  const noRaid = skipFor(
    'real RAID arrays',
    existsSync('/proc/mdstat') ? undefined : 'the kernel has no RAID (test:lab -- safety has it)',
  );
  const mdadm = noRaid || skipFor('real RAID arrays', programPath('mdadm') ? undefined : 'there is no mdadm');
  it(
    'is one of two of a RAID array',
    { skip: skip || mdadm },
    on(async (machine) => {
      const [one, other] = [machine.loop(), machine.loop()];
      run(
        'mdadm',
        '--create',
        '/dev/md77',
        '--run',
        '--metadata=1.2',
        '--level=1',
        '-n2',
        one.path,
        other.path,
      );
      machine.undo(() => run('mdadm', '--stop', '/dev/md77'));
      assert.deepEqual(
        await machine.uses([one.name, other.name]),
        [one, other].map(({ name }) => `1-1 refuse md: ${name} on it is part of the RAID array md77`).sort(),
      );
    }),
  );
});
