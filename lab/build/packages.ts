/** Debian's packages: chosen with their dependencies and downloaded by the machine's own apt, never installed. */
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LabError } from '../base/error.js';
import { cacheFolder } from '../base/paths.js';
import { run, runPiped } from '../base/process.js';
import { progress } from '../base/progress.js';
import { SUITES, type Suite, suiteOptions } from '../debian/suites.js';

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

/**
 * What makes it a Xen host, apart from Xen itself, whose packages have its version in their names; with what hosts make
 * of their disks, and systemd. libstdc++ is for Node.
 */
const HOST = [
  ...['xen-utils-common', 'xenstore-utils', 'qemu-system-xen', 'udev', 'kmod', 'iproute2'],
  ...['dropbear-bin', 'busybox-static', 'procps', 'strace', 'usbutils', 'libstdc++6'],
  ...['lvm2', 'cryptsetup-bin', 'mdadm', 'btrfs-progs', 'systemd'],
];

/** The suites whose kernels have the PVUSB frontend as a module. The others' we compile from their sources. */
const WITH_FRONTEND: ReadonlySet<Suite> = new Set(['sid']);

/** The packages of a lab, as files. */
export interface Packages {
  /** Those of dom0's system, each after what it depends on. */
  readonly system: readonly string[];
  /** The kernel's release: `6.1.0-56-amd64`. */
  readonly release: string;
  /** Linux and its modules. */
  readonly linux: readonly string[];
  /** What modules are compiled with: the kernel's headers, and the compiler that it was made with. */
  readonly compiler: readonly string[];
  /** The kernel's source, where our own frontend has to be made from it; otherwise nothing. */
  readonly source: readonly string[];
  readonly hypervisor: string;
}

/** Whether dom0's packages are all that it needs: not if they were chosen before the lists above had grown. */
export function isComplete({ system }: Packages): boolean {
  return [...BASE, ...HOST].every((name) => system.some((file) => basename(file).startsWith(`${name}_`)));
}

/**
 * Chooses a suite's newest packages and downloads those that are missing.
 *
 * @throws {LabError} when the suite can't be reached, or lacks a package
 */
export async function fetchPackages(suite: Suite): Promise<Packages> {
  progress(`choosing packages of Debian ${suite}`);
  await mkdir(debFolder(), { recursive: true });
  const scratch = await mkdtemp(join(cacheFolder(), 'apt-'));
  try {
    return await choose(new Apt(await suiteOptions(scratch, suite)), suite);
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function choose(apt: Apt, suite: Suite): Promise<Packages> {
  const { xen } = SUITES[suite];
  const [image = ''] = await apt.depends('linux-image-amd64', /^linux-image-\d/);
  const release = image.replace('linux-image-', '');
  const headers = `linux-headers-${release}`;
  // Not the image, on which the headers may depend, too: it depends on half a system.
  const tools = await apt.depends(headers, /^(linux-(headers|kbuild|compiler)|gcc)-/);
  const system = await apt.withDependencies([...BASE, ...HOST, `xen-utils-${xen}`]);
  const linux = (await apt.withDependencies([image])).filter(({ file }) => file.includes(`-${release}_`));
  const compiler = [
    ...(await apt.alone(headers)),
    ...(await apt.withDependencies([...tools, 'binutils', 'libc6-dev'])),
  ];
  const hypervisor = await apt.alone(`xen-hypervisor-${xen}-amd64`);
  const [version] = /^\d+\.\d+/.exec(release)!;
  const source = WITH_FRONTEND.has(suite) ? [] : await apt.alone(`linux-source-${version}`);
  await apt.download([...system, ...linux, ...compiler, ...hypervisor, ...source]);
  const files = (debs: readonly Deb[]) => debs.map(({ file }) => file);
  return {
    system: files(system),
    release,
    linux: files(linux),
    compiler: files(compiler),
    source: files(source),
    hypervisor: hypervisor[0]!.file,
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
  /** In bytes. */
  readonly size: number;
}

/** apt for one suite. */
class Apt {
  readonly #options: readonly string[];

  constructor(options: readonly string[]) {
    this.#options = options;
  }

  /** The packages of these names on which a package depends. */
  async depends(name: string, wanted: RegExp): Promise<string[]> {
    const answer = await run('apt-cache', [...this.#options, 'depends', name]);
    const names = [...answer.matchAll(/Depends: (\S+)/g)].map(([, found]) => found!);
    const found = names.filter((one) => wanted.test(one));
    if (found.length === 0)
      throw new LabError(`the package ${name} depends on nothing like ${wanted.source}`);
    return found;
  }

  /** Packages and all that they depend on. */
  async withDependencies(names: readonly string[]): Promise<Deb[]> {
    return this.#uris(['-y', 'install', ...names]);
  }

  /** A package only. */
  async alone(name: string): Promise<Deb[]> {
    return this.#uris(['download', name]);
  }

  /** Downloads what is missing. */
  async download(debs: readonly Deb[]): Promise<void> {
    const folder = debFolder();
    const there = new Set((await readdir(folder)).map((name) => join(folder, name)));
    const missing = new Map(debs.filter(({ file }) => !there.has(file)).map((deb) => [deb.file, deb]));
    if (missing.size === 0) return;
    const bytes = [...missing.values()].reduce((sum, { size }) => sum + size, 0);
    progress(`downloading ${missing.size} packages, ${Math.ceil(bytes / 1e6)} MB`);
    // Several processes may do this at once.
    const partial = await mkdtemp(join(folder, 'partial-'));
    const exact = [...missing.values()].map((deb) => deb.exact);
    await run('apt-get', [...this.#options, '-qq', 'download', ...exact], { cwd: partial });
    for (const file of missing.keys()) await rename(join(partial, basename(file)), file);
    await rm(partial, { recursive: true });
  }

  /** What apt would download. */
  async #uris(args: readonly string[]): Promise<Deb[]> {
    const answer = await run('apt-get', [...this.#options, '-qq', '--print-uris', ...args]);
    const debs = answer.matchAll(/^'[^']+' (([^_ ]+)_([^_ ]+)_([^_ ]+)\.deb) (\d+) /gm);
    return [...debs].map(([, file, name, version, architecture, size]) => ({
      exact: `${name}:${architecture}=${decodeURIComponent(version!)}`.replace(':all=', '='),
      file: join(debFolder(), file!),
      size: Number(size),
    }));
  }
}

function debFolder(): string {
  return join(cacheFolder(), 'debs');
}
