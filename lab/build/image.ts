/** What dom0 boots from: its first file system, and its disk with everything that guests boot from. */
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { keyPath, sourcePath } from '../base/paths.js';
import { run } from '../base/process.js';
import { progress } from '../base/progress.js';
import { type Compiler, compile } from './compiler.js';
import { type CpioEntry, MODE, packCpio } from './cpio.js';
import { kernelFiles } from './kernel.js';
import { GUEST, installModules, moduleFiles, ROOT_DISK } from './modules.js';

/** The size of dom0's disk in MiB; it is sparse. */
const DISK_MIB = 1536;

/** Where things are in an image's folder. */
export const imageFiles = {
  disk: (folder: string) => join(folder, 'dom0.img'),
  initramfs: (folder: string) => join(folder, 'dom0.cpio.gz'),
};

/** What an image is made from: the folders of earlier stages. */
interface ImageParts {
  readonly system: string;
  readonly kernel: string;
  readonly modules: string;
  readonly compiler: Compiler;
  readonly release: string;
}

/** Makes the image in an empty folder. */
export async function makeImage(folder: string, parts: ImageParts): Promise<void> {
  progress("making dom0's disk");
  const { system, kernel, modules, compiler, release } = parts;
  const root = join(folder, 'root');
  // Links to the files, not copies: what is changed below is replaced, never written to.
  await run('cp', ['-al', system, root]);
  const own = (await readdir(modules)).map((name) => join(modules, name));
  await installModules(root, kernelFiles.root(kernel), release, own);
  await furnish(root, compiler);
  await mkdir(join(root, 'boot'), { recursive: true });
  await copyFile(kernelFiles.vmlinux(kernel), join(root, 'boot/vmlinux'));
  await copyFile(kernelFiles.vmlinuz(kernel), join(root, 'boot/vmlinuz'));
  const frontend = own.filter((file) => basename(file) === 'xen-hcd.ko');
  const busybox = await readFile(join(system, 'usr/bin/busybox'));
  const kernelRoot = kernelFiles.root(kernel);
  // The frontend last: it needs what the others provide.
  const guestModules = [
    ...(await moduleFiles(kernelRoot, release, frontend.length > 0 ? GUEST : [...GUEST, 'xen-hcd'])),
    ...frontend,
  ];
  const programs = await guestPrograms(folder, compiler);
  const guest = await packSystem(busybox, 'guest', guestModules, programs);
  for (const { path, data } of programs)
    await writeFile(join(root, 'usr/local', path), data, { mode: 0o755 });
  await writeFile(join(root, 'boot/guest.cpio.gz'), guest);
  const first = await packSystem(busybox, 'dom0', await moduleFiles(kernelRoot, release, ROOT_DISK));
  await writeFile(imageFiles.initramfs(folder), first);
  await makeDisk(root, imageFiles.disk(folder));
  await rm(root, { recursive: true });
}

/** Puts the lab's own files into dom0's system. */
async function furnish(root: string, compiler: Compiler): Promise<void> {
  const place = async (source: string, target: string, mode: number): Promise<void> => {
    await copyFile(source, target);
    await chmod(target, mode);
  };
  await mkdir(join(root, 'etc/lab'), { recursive: true });
  await place(sourcePath('dom0/rc'), join(root, 'etc/lab/rc'), 0o755);
  await place(sourcePath('dom0/inittab'), join(root, 'etc/inittab'), 0o644);
  for (const name of await readdir(sourcePath('dom0/bin'))) {
    await place(sourcePath('dom0/bin', name), join(root, 'usr/local/bin', name), 0o755);
  }
  for (const name of await readdir(sourcePath('dom0/lib'))) {
    const library = join(root, 'usr/local/lib', name.replace(/c$/, 'so'));
    await compile(compiler, sourcePath('dom0/lib', name), library, ['-shared', '-fPIC']);
  }
  for (const name of await readdir(sourcePath('guest'))) {
    if (name.endsWith('.cfg')) await place(sourcePath('guest', name), join(root, 'etc/xen', name), 0o644);
  }
  await place(sourcePath('dom0/xen.default'), join(root, 'etc/default/xen'), 0o644);
  await place(sourcePath('dom0/modprobe.conf'), join(root, 'etc/modprobe.d/lab.conf'), 0o644);
  await furnishSystemd(root);
  await rm(join(root, 'usr/sbin/init'), { force: true });
  await symlink('/bin/busybox', join(root, 'usr/sbin/init'));
  await mkdir(join(root, 'etc/dropbear'), { recursive: true });
  await place(`${keyPath()}.pub`, join(root, 'root/.ssh/authorized_keys'), 0o600);
  await chmod(join(root, 'root/.ssh'), 0o700);
  await chmod(join(root, 'root'), 0o700);
}

/** Units that cost an emulated machine more than they are worth; without D-Bus some only fail. */
const MASKED = [
  ...[
    'systemd-logind.service',
    'systemd-user-sessions.service',
    'systemd-update-utmp.service',
    'getty.target',
  ],
  ...['systemd-udev-trigger.service', 'proc-sys-fs-binfmt_misc.automount', 'systemd-binfmt.service'],
];

/** What systemd starts, when it is the init: the lab's units, and Xen's daemons. */
async function furnishSystemd(root: string): Promise<void> {
  const units = join(root, 'etc/systemd/system');
  const wants = join(units, 'multi-user.target.wants');
  await mkdir(wants, { recursive: true });
  for (const name of await readdir(sourcePath('dom0/systemd'))) {
    await copyFile(sourcePath('dom0/systemd', name), join(units, name));
    await symlink(`../${name}`, join(wants, name));
  }
  // Up to Debian 12 systemd makes this unit of a script, if that is enabled; since then the package has a unit.
  await symlink('../init.d/xen', join(root, 'etc/rc3.d/S01xen'));
  await symlink('/usr/lib/systemd/system/xen.service', join(wants, 'xen.service'));
  for (const name of MASKED) await symlink('/dev/null', join(units, name));
  await symlink('/usr/lib/systemd/system/multi-user.target', join(units, 'default.target'));
  // What takes a second on a real machine takes minutes here while the build machine is busy.
  await mkdir(join(root, 'etc/systemd/system.conf.d'));
  await writeFile(
    join(root, 'etc/systemd/system.conf.d/lab.conf'),
    '[Manager]\nDefaultTimeoutStartSec=15min\n',
  );
  // A machine without a number is taken for new, and gets every unit enabled.
  await writeFile(join(root, 'etc/machine-id'), `${'0123456789abcdef'.repeat(2)}\n`);
}

/** A program to be packed. */
interface Program extends CpioEntry {
  readonly data: Buffer;
}

/** The guests' own programs, which need no C library: guests have none. dom0 has them, too. */
async function guestPrograms(folder: string, compiler: Compiler): Promise<Program[]> {
  const sources = await readdir(sourcePath('guest/lib'));
  return Promise.all(
    sources.map(async (source) => {
      const name = source.replace(/\.c$/, '');
      const program = join(folder, name);
      await compile(compiler, sourcePath('guest/lib', source), program, ['-static', '-s']);
      const data = await readFile(program);
      await rm(program);
      return { path: `bin/${name}`, mode: MODE.program, data };
    }),
  );
}

/** Packs a system of busybox, its `init` and `bin` from the sources, and modules in loading order. */
async function packSystem(
  busybox: Buffer,
  source: string,
  modules: readonly string[],
  programs: readonly CpioEntry[] = [],
): Promise<Buffer> {
  const entries: CpioEntry[] = [
    { path: 'bin', mode: MODE.folder },
    { path: 'modules', mode: MODE.folder },
    { path: 'bin/busybox', mode: MODE.program, data: busybox },
    { path: 'init', mode: MODE.program, data: await readFile(sourcePath(source, 'init')) },
  ];
  if (source === 'guest') {
    for (const name of await readdir(sourcePath('guest/bin'))) {
      const data = await readFile(sourcePath('guest/bin', name));
      entries.push({ path: `bin/${name}`, mode: MODE.program, data });
    }
  }
  entries.push(...programs);
  for (const file of modules) {
    entries.push({ path: `modules/${basename(file)}`, mode: MODE.file, data: await readFile(file) });
  }
  const order = modules.map((file) => `${basename(file)}\n`).join('');
  entries.push({ path: 'modules/order', mode: MODE.file, data: Buffer.from(order) });
  return packCpio(entries);
}

/** Makes an ext4 from a folder. With fakeroot its files are root's, whoever builds; a journal would only cost time. */
async function makeDisk(root: string, disk: string): Promise<void> {
  const options = ['-q', '-O', '^has_journal', '-m', '0', '-d', root, `${disk}.new`, `${DISK_MIB}M`];
  await run('fakeroot', ['mkfs.ext4', ...options], { nice: true });
  await rename(`${disk}.new`, disk);
}
