/**
 * Debian's real xenstored daemons for tests: downloaded and unpacked into a cache folder, never installed.
 *
 * The daemons need a hypervisor; `native/shim.c` stands in for the few calls that they make to it, and
 * `native/xsbridge.c` plays a guest. Both are compiled with the machine's gcc.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Where the pieces of an unpacked kit are. */
export interface Kit {
  /** The folder that stands for `/` of the unpacked packages. */
  readonly root: string;
  /** The folder of the shared libraries, for LD_LIBRARY_PATH. */
  readonly libraries: string;
  /** The folder of `xenstore-ls` and its like. */
  readonly programs: string;
  /** The folder of pyxs, for PYTHONPATH. */
  readonly python: string;
  /** The C daemon and the OCaml daemon. */
  readonly xenstored: string;
  readonly oxenstored: string;
  /** oxenstored's configuration as Debian ships it. */
  readonly oxenstoredConfig: string;
  /** The compiled stand-ins. */
  readonly shim: string;
  readonly bridge: string;
}

const PACKAGES = [
  'xen-utils-4.17',
  'xen-utils-common',
  'xenstore-utils',
  'libxen-dev',
  'libxenstore4',
  'libxenmisc4.17',
  'libxencall1',
  'libxenevtchn1',
  'libxengnttab1',
  'libxenforeignmemory1',
  'libxendevicemodel1',
  'libxentoolcore1',
  'libxentoollog1',
  'libxenhypfs1',
  'python3-pyxs',
];

/** Raise it when the way of fetching changes: the old cache is then left alone. */
const RECIPE = '1';

let fetching: Promise<Kit> | undefined;

/**
 * The kit, fetched and compiled when the cache has none. Several processes may call it at once: each builds in
 * a folder of its own, and the first to rename it into place wins.
 *
 * @throws {Error} saying why it can't be had
 */
export function fetchXenstored(): Promise<Kit> {
  fetching ??= fetchKit();
  return fetching;
}

/**
 * The kit, or why the tests that need it are skipped. Where the environment says `CI=true` a missing kit is an
 * error instead, so that no build server turns green without having met the real daemons.
 */
export async function kitOrSkip(): Promise<{ readonly kit: Kit | undefined; readonly skip: string | false }> {
  try {
    return { kit: await fetchXenstored(), skip: false };
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    const reason = error instanceof Error ? error.message : String(error);
    report(`SKIPPING ALL TESTS AGAINST THE REAL XENSTORED: ${reason.toUpperCase()}`);
    return { kit: undefined, skip: `no real xenstored: ${reason}` };
  }
}

/** The project's folder: sources of other languages are there, and not beside the compiled test. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    if (folder === dirname(folder)) throw new Error('no package.json above the tests');
    folder = dirname(folder);
  }
  return folder;
}

/** Where the tests keep what they fetched. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'pvusb-test');
}

async function fetchKit(): Promise<Kit> {
  const cache = cacheFolder();
  const sources = join(projectRoot(), 'test', 'xenstored', 'native');
  const [shimSource, bridgeSource] = [join(sources, 'shim.c'), join(sources, 'xsbridge.c')];
  const packagesKey = key(RECIPE, process.arch, ...PACKAGES);
  const nativeKey = key(
    packagesKey,
    await readFile(shimSource, 'utf8'),
    await readFile(bridgeSource, 'utf8'),
  );
  const root = join(cache, `debian-${packagesKey}`);
  const native = join(cache, `native-${nativeKey}`);
  await provide(root, 'downloading xenstored from Debian', async (folder) => {
    await unpackPackages(folder, 'xenstored', PACKAGES);
  });
  await provide(native, "compiling xenstored's stand-ins for Xen", async (folder) => {
    const flags = ['-O2', '-Wall', '-I', join(root, 'usr/include'), '-o'];
    await run('gcc', [...flags, join(folder, 'shim.so'), '-shared', '-fPIC', shimSource, '-ldl']);
    await run('gcc', [...flags, join(folder, 'xsbridge'), bridgeSource]);
    await writeFile(join(folder, 'triplet'), await run('gcc', ['-print-multiarch']));
  });
  const triplet = (await readFile(join(native, 'triplet'), 'utf8')).trim();
  return {
    root,
    libraries: join(root, 'usr/lib', triplet),
    programs: join(root, 'usr/bin'),
    python: join(root, 'usr/lib/python3/dist-packages'),
    xenstored: join(root, 'usr/lib/xen-4.17/bin/xenstored'),
    oxenstored: join(root, 'usr/lib/xen-4.17/bin/oxenstored'),
    oxenstoredConfig: join(root, 'etc/xen/oxenstored.conf'),
    shim: join(native, 'shim.so'),
    bridge: join(native, 'xsbridge'),
  };
}

/** Makes `folder` exist with what `fill` puts there, all or nothing. */
export async function provide(
  folder: string,
  what: string,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  if (existsSync(folder)) return;
  report(`${what} …`);
  await mkdir(dirname(folder), { recursive: true });
  const temporary = await mkdtemp(`${folder}.`);
  try {
    await fill(temporary);
    await rename(temporary, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Downloads Debian packages, `what` for short, and unpacks them into `folder`. */
export async function unpackPackages(
  folder: string,
  what: string,
  packages: readonly string[],
): Promise<void> {
  const debs = join(folder, 'debs');
  await download(debs, what, packages);
  for (const deb of await readdir(debs)) await run('dpkg-deb', ['-x', join(debs, deb), folder]);
  await rm(debs, { recursive: true });
}

/** Downloads packages: by the system's lists, else by fresh private ones. */
async function download(folder: string, what: string, packages: readonly string[]): Promise<void> {
  await mkdir(folder);
  const scratch = await mkdtemp(join(dirname(folder), 'apt.'));
  const faults: string[] = [];
  const fetch = (options: readonly string[]) =>
    run('apt-get', [...options, 'download', '-qq', ...packages], folder);
  for (const attempt of await aptAttempts(scratch)) {
    try {
      if (attempt.update) await run('apt-get', [...attempt.options, 'update', '-qq']);
      await fetch(attempt.options);
      await rm(scratch, { recursive: true });
      return;
    } catch (error) {
      faults.push(`with ${attempt.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`the Debian packages of ${what} can't be downloaded; ${faults.join('; ')}`);
}

interface AptAttempt {
  readonly name: string;
  readonly update: boolean;
  readonly options: readonly string[];
}

async function aptAttempts(scratch: string): Promise<AptAttempt[]> {
  for (const part of ['lists/partial', 'cache/archives/partial']) {
    await mkdir(join(scratch, part), { recursive: true });
  }
  const own = [
    '-o',
    `Dir::State::lists=${join(scratch, 'lists')}`,
    '-o',
    `Dir::Cache=${join(scratch, 'cache')}`,
    // The user _apt may not enter a private cache folder.
    '-o',
    'APT::Sandbox::User=root',
  ];
  const attempts = [
    { name: "the system's package lists", update: false, options: ['-o', 'APT::Sandbox::User=root'] },
    { name: 'fresh package lists', update: true, options: own },
  ];
  return attempts;
}

/** Runs a program and gives what it prints. */
export async function run(program: string, args: readonly string[], cwd?: string): Promise<string> {
  try {
    const env = { ...process.env, LC_ALL: 'C' };
    const done = await promisify(execFile)(program, args, { env, ...(cwd === undefined ? {} : { cwd }) });
    return done.stdout;
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    const first = stderr.split('\n').find((line) => /^E:|error/.test(line)) ?? stderr.split('\n')[0];
    throw new Error(`${program}: ${first || (error instanceof Error ? error.message : String(error))}`);
  }
}

/** A short name for what was made of `parts`. */
export function key(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12);
}

/** Tells whoever runs the tests. */
export function report(line: string): void {
  process.stderr.write(`pvusb tests: ${line}\n`);
}
