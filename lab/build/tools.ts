/** The programs of the build machine, and the Debian packages that they are in. */
import { existsSync } from 'node:fs';
import { LabError } from '../base/error.js';
import { run } from '../base/process.js';
import { progress } from '../base/progress.js';
import { withPackageLists } from './apt.js';

/** A program that is needed, and the package it is in. */
const TOOLS: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  'mkfs.ext4': 'e2fsprogs',
  'mkfs.vfat': 'dosfstools',
  mcopy: 'mtools',
  modprobe: 'kmod',
  make: 'make',
  xz: 'xz-utils',
  zstd: 'zstd',
  ssh: 'openssh-client',
  fakeroot: 'fakeroot',
};

/**
 * Makes sure that the programs the lab needs are there: for root they are installed, anyone else is told the command
 * that installs them.
 */
export async function provideTools(): Promise<void> {
  const missing = missingPackages();
  if (missing.length === 0) return;
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  if (process.getuid?.() !== 0) throw new LabError(`the lab needs: sudo apt-get ${install.join(' ')}`);
  progress(`installing ${missing.join(', ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  // Another program, perhaps another lab's start, may be installing something.
  const patient = ['-o', 'DPkg::Lock::Timeout=600'];
  await withPackageLists(() => run('apt-get', [...patient, ...install], { env }));
}

function missingPackages(): string[] {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  const isMissing = (program: string) => !folders.some((folder) => existsSync(`${folder}/${program}`));
  return Object.entries(TOOLS)
    .filter(([program]) => isMissing(program))
    .map(([, name]) => name);
}
