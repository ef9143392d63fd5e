/** Debian's packages: chosen with their dependencies and downloaded by the machine's own apt, never installed. */
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { withPackageLists } from './apt.js';
import { LabError } from '../base/error.js';
import { cacheFolder } from '../base/paths.js';
import { run, runPiped } from '../base/process.js';
import { progress } from '../base/progress.js';

/** Debian 12's Xen; its package names contain the version. */
const XEN = '4.17';

/** What makes dom0 a Debian system: the essential packages. */
const BASE = [
  ...[
    'base-files',
    'base-passwd',
    'bash',
    'bsdutils',
    'coreutils',
    'dash',
    'debianutils',
    'diffutils',
    'dpkg',
  ],
  ...['findutils', 'grep', 'gzip', 'hostname', 'init-system-helpers', 'libc-bin', 'login', 'mawk', 'mount'],
  ...[
    'ncurses-base',
    'ncurses-bin',
    'perl-base',
    'sed',
    'sysvinit-utils',
    'tar',
    'usr-is-merged',
    'util-linux',
  ],
];

/** What makes it a Xen host, with what hosts make of their disks, and systemd. libstdc++ is for Node. */
const HOST = [
  ...[
    `xen-utils-${XEN}`,
    'xen-utils-common',
    'xenstore-utils',
    'qemu-system-xen',
    'udev',
    'kmod',
    'iproute2',
  ],
  ...['dropbear-bin', 'busybox-static', 'procps', 'strace', 'usbutils', 'libstdc++6'],
  ...['lvm2', 'cryptsetup-bin', 'mdadm', 'btrfs-progs', 'systemd'],
];

/** The packages of a lab, as files. */
export interface Packages {
  /** Those of dom0's system, each after what it depends on. */
  readonly system: readonly string[];
  /** The kernel's release: `6.1.0-56-amd64`. */
  readonly release: string;
  readonly image: string;
  readonly headers: readonly string[];
  readonly source: string;
  readonly hypervisor: string;
}

/** Whether dom0's packages are all that it needs: not if they were chosen before the lists above had grown. */
export function isComplete({ system }: Packages): boolean {
  return [...BASE, ...HOST].every((name) => system.some((file) => basename(file).startsWith(`${name}_`)));
}

/**
 * Chooses the newest packages of the machine's package lists and downloads those that are missing.
 *
 * @throws {LabError} when this is not Debian 12, or there are no package lists
 */
export async function fetchPackages(): Promise<Packages> {
  return withPackageLists(fetchNewest);
}

async function fetchNewest(): Promise<Packages> {
  progress('choosing packages');
  // Nothing is installed and nothing is downloaded: so apt names everything that is needed.
  const nothing = join(debFolder(), 'nothing');
  await mkdir(join(nothing, 'archives/partial'), { recursive: true });
  await writeFile(join(nothing, 'status'), '');
  const release = await kernelRelease();
  const version = release.split('.').slice(0, 2).join('.');
  const headers = [
    `linux-headers-${release}`,
    `linux-headers-${release.replace('amd64', 'common')}`,
    `linux-kbuild-${version}`,
  ];
  const image = `linux-image-${release}`;
  const source = `linux-source-${version}`;
  const hypervisor = `xen-hypervisor-${XEN}-amd64`;
  const wanted = [
    ...['-o', `Dir::State::status=${nothing}/status`, '-o', `Dir::Cache::archives=${nothing}/archives`],
    ...['-o', 'Debug::NoLocking=1', '--no-install-recommends'],
    ...['-y', '-qq', '--print-uris', 'install', ...BASE, ...HOST],
  ];
  const system = await apt(wanted);
  const kernel = await apt(['-qq', '--print-uris', 'download', image, ...headers, source, hypervisor]);
  await download([...system, ...kernel]);
  const named = (name: string) => kernel.find((deb) => deb.file.includes(`/${name}_`))!.file;
  return {
    system: system.map(({ file }) => file),
    release,
    image: named(image),
    headers: headers.map(named),
    source: named(source),
    hypervisor: named(hypervisor),
  };
}

/** Unpacks a package into a folder that may have links in place of folders, such as `/lib`. */
export async function unpack(deb: string, folder: string, leaveOut: readonly string[] = []): Promise<void> {
  const excludes = leaveOut.map((path) => `--exclude=.${path}`);
  await runPiped(
    ['dpkg-deb', '--fsys-tarfile', deb],
    ['tar', '-x', '-p', '--keep-directory-symlink', ...excludes, '-C', folder],
  );
}

interface Deb {
  /** The package with its version, in the form for `apt-get download`. */
  readonly exact: string;
  readonly file: string;
}

/** Asks apt what it would download. */
async function apt(args: readonly string[]): Promise<Deb[]> {
  let answer: string;
  try {
    answer = await run('apt-get', args);
  } catch (error) {
    throw new LabError(
      `apt does not find the packages; Debian 12 is needed, after "apt-get update". ${(error as Error).message}`,
    );
  }
  return [...answer.matchAll(/^'[^']+' (([^_ ]+)_([^_ ]+)_([^_ ]+)\.deb) /gm)].map(
    ([, file, name, version, architecture]) => ({
      exact: `${name}:${architecture}=${decodeURIComponent(version!)}`.replace(':all=', '='),
      file: join(debFolder(), file!),
    }),
  );
}

async function download(debs: readonly Deb[]): Promise<void> {
  const folder = debFolder();
  const there = new Set((await readdir(folder)).map((name) => join(folder, name)));
  const missing = debs.filter(({ file }) => !there.has(file));
  if (missing.length === 0) return;
  progress(`downloading ${missing.length} packages`);
  // Several processes may do this at once.
  const partial = await mkdtemp(join(folder, 'partial-'));
  // The user _apt may not write into a private cache folder.
  const options = ['-o', 'APT::Sandbox::User=root', '-qq'];
  await run('apt-get', [...options, 'download', ...missing.map(({ exact }) => exact)], { cwd: partial });
  for (const { file } of missing) {
    await rename(join(partial, basename(file)), file);
  }
  await rm(partial, { recursive: true });
}

async function kernelRelease(): Promise<string> {
  const depends = await run('apt-cache', ['depends', 'linux-image-amd64']);
  const release = /Depends: linux-image-(\S+)/.exec(depends)?.[1];
  if (release === undefined) {
    throw new LabError('apt does not know linux-image-amd64; Debian 12 is needed, after "apt-get update"');
  }
  return release;
}

function debFolder(): string {
  return join(cacheFolder(), 'debs');
}
