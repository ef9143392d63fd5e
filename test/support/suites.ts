/**
 * Programs of a named Debian suite, on whatever Debian or Ubuntu the machine runs: unpacked into the cache with all that
 * they need, the C library included, started by their own loader, and never installed.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSuite, mergeFolders, SUITES, type Suite, suiteOptions } from '../../lab/debian/suites.js';
import { cacheFolder, key, provide, run } from './packages.js';

/** What is taken from a suite. */
interface Wanted {
  /** What it is, in a word: the name of its folder. */
  readonly name: string;
  /** Packages; what they depend on comes with them. */
  readonly packages: readonly string[];
  /** The package whose version must be one of the suite's in {@link SUITES}. */
  readonly pinned: { readonly package: string; readonly version: string };
  /** Debian's name for the processor that it is for: the machine's own unless given. */
  readonly architecture?: string;
}

/** Unpacked packages of one suite. */
export interface SuiteRoot {
  readonly suite: Suite;
  /** The folder in place of `/`. */
  readonly root: string;
  /** The folder of the shared libraries. */
  readonly libraries: string;
  /** The suite's own program loader. */
  readonly loader: string;
}

/** The suite that `PVUSB_TEST_SUITE` names; undefined when it is not set. */
export function chosenSuite(): Suite | undefined {
  const { PVUSB_TEST_SUITE: name } = process.env;
  if (!name) return undefined;
  if (!isSuite(name)) throw new Error(`PVUSB_TEST_SUITE is ${name}, not ${Object.keys(SUITES).join(', ')}`);
  return name;
}

/** The suite of tests that run on one only. */
export const USUAL_SUITE: Suite = chosenSuite() ?? 'bookworm';

/**
 * The command that runs an unpacked program with its suite's loader and C library: the machine's own may be older or
 * newer. Unlike LD_LIBRARY_PATH, this does not reach the programs that it starts.
 */
export function inSuite(
  { loader, libraries }: SuiteRoot,
  program: string,
  args: readonly string[],
): [command: string, args: string[]] {
  return [loader, ['--library-path', libraries, '--argv0', program, program, ...args]];
}

/** Raise it when the way of fetching changes: the old cache is then left alone. */
const RECIPE = '2';

/** Fetches what is wanted from a suite, unless the cache has it. */
export async function unpackSuite(suite: Suite, wanted: Wanted): Promise<SuiteRoot> {
  const { name, packages, pinned, architecture } = wanted;
  const made = key(RECIPE, architecture ?? process.arch, pinned.package, pinned.version, ...packages);
  const root = join(cacheFolder(), `${name}-${suite}-${made}`);
  await provide(root, `downloading ${name} of Debian ${suite}`, async (folder) => {
    await fill(folder, suite, wanted);
  });
  const folders = (await readdir(join(root, 'usr/lib'))).map((entry) => join(root, 'usr/lib', entry));
  const libraries = folders.find((folder) => existsSync(join(folder, 'libc.so.6'))) ?? '';
  // Where the programs themselves look for it, which differs among processors.
  for (const folder of [join(root, 'usr/lib64'), join(root, 'usr/lib'), libraries]) {
    const entries = existsSync(folder) ? await readdir(folder) : [];
    const loader = entries.find((entry) => /^ld-linux.*\.so\.\d+$/.test(entry));
    if (loader !== undefined) return { suite, root, libraries, loader: join(folder, loader) };
  }
  throw new Error(`the packages of ${name} of Debian ${suite} contain no loader`);
}

async function fill(
  folder: string,
  suite: Suite,
  { name, packages, pinned, architecture }: Wanted,
): Promise<void> {
  const scratch = join(folder, 'apt');
  await mkdir(scratch);
  const options = await suiteOptions(scratch, suite, architecture);
  const shown = await run('apt-cache', [...options, 'show', '--no-all-versions', pinned.package]);
  const version = /^Version: (?:\d+:)?(.*)$/m.exec(shown)?.[1] ?? 'no version';
  if (!isOf(version, pinned.version)) {
    throw new Error(
      `Debian ${suite} has ${pinned.package} ${version}, not ${pinned.version}: look at what is new, then change SUITES`,
    );
  }
  // A simulated installation on a machine with nothing names everything, the C library included.
  const planned = await run('apt-get', [...options, '--simulate', 'install', ...packages]);
  const all = [...planned.matchAll(/^Inst (\S+) /gm)].map(([, named]) => named!);
  const debs = join(scratch, 'debs');
  await mkdir(debs);
  await run('apt-get', [...options, 'download', '-qq', ...all], debs);
  await mergeFolders(folder);
  const files = await readdir(debs);
  for (const file of files) {
    // Not `dpkg-deb -x`: it would replace the links of `mergeFolders` by folders.
    const unpack = 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink --no-same-owner -C "$2"';
    await run('bash', ['-o', 'pipefail', '-c', unpack, 'unpack', join(debs, file), folder]);
  }
  await writeFile(join(folder, 'packages'), `${name} of Debian ${suite}:\n${files.sort().join('\n')}\n`);
  await rm(scratch, { recursive: true });
}

/** Whether a Debian version is one of that upstream release: `4.17.5-1` of `4.17`. */
function isOf(version: string, release: string): boolean {
  return version.startsWith(release) && !/^\d/.test(version.slice(release.length));
}
