/** Debian's packages, unpacked into a cache folder and never installed. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { report } from './needs.js';

/** The release whose packages are asked for. */
const RELEASE = 'bookworm';

/** Where the tests keep what they fetched. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'pvusb-test');
}

/** A short name for what was made from `parts`. */
export function key(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12);
}

/**
 * Makes `folder` exist with what `fill` puts there, all or nothing. Several processes may do so at once: each fills a
 * folder of its own, and the first to rename it into place wins. What has failed is not retried by the other files of
 * the same run.
 */
export async function provide(
  folder: string,
  what: string,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  if (existsSync(folder)) return;
  const { PVUSB_TEST_RUN: scratch } = process.env;
  const failed = scratch && join(scratch, `${basename(folder)}.failed`);
  if (failed && existsSync(failed)) throw new Error(await readFile(failed, 'utf8'));
  report(`${what} …`);
  await mkdir(dirname(folder), { recursive: true });
  const temporary = await mkdtemp(`${folder}.`);
  try {
    await fill(temporary);
    await rename(temporary, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } catch (error) {
    if (failed) await writeFile(failed, error instanceof Error ? error.message : String(error));
    throw error;
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

/** The library folders in an unpacked package: `usr/lib/x86_64-linux-gnu`, and before the /usr merge `lib/...` too. */
export async function libraryFolders(root: string): Promise<string[]> {
  const found: string[] = [];
  for (const base of [join(root, 'usr/lib'), join(root, 'lib')].filter((folder) => existsSync(folder))) {
    for (const name of await readdir(base)) if (name.includes('-linux-')) found.push(join(base, name));
  }
  return found;
}

/** Downloads packages with the system's lists, otherwise with fresh lists, otherwise from Debian 12. */
async function download(folder: string, what: string, packages: readonly string[]): Promise<void> {
  await mkdir(folder);
  const scratch = join(dirname(folder), 'apt');
  const faults = new Map<string, string>();
  for (const [name, optionsOf] of Object.entries(ATTEMPTS)) {
    try {
      await rm(scratch, { recursive: true, force: true });
      for (const part of ['lists/partial', 'cache/archives/partial']) {
        await mkdir(join(scratch, part), { recursive: true });
      }
      // The user _apt may not enter a private cache folder.
      const options = ['-o', 'APT::Sandbox::User=root', ...(await optionsOf(scratch))];
      if (options.length > 2) await run('apt-get', [...options, 'update', '-qq']);
      await run('apt-get', [...options, 'download', '-qq', ...packages], folder);
      await rm(scratch, { recursive: true });
      return;
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error);
      faults.set(fault, faults.get(fault) ?? name);
    }
  }
  const told = [...faults].map(([fault, by]) => `${fault} (by ${by})`);
  throw new Error(`the Debian packages of ${what} can't be downloaded: ${told.join('; ')}`);
}

/** apt's options for each way to find packages. Without any there is no update. */
const ATTEMPTS: Readonly<Record<string, (scratch: string) => string[] | Promise<string[]>>> = {
  "the system's package lists": () => [],
  'fresh package lists': ownLists,
  'the package lists of Debian 12': async (scratch) => {
    const own = ownLists(scratch);
    // Whichever mirror the system uses; apt knows whose it is when it has the lists.
    await run('apt-get', ['-o', 'APT::Sandbox::User=root', ...own, 'update', '-qq']);
    const format = ['--format', '$(REPO_URI)', 'Origin: Debian'];
    const [mirror] = (await run('apt-get', [...own, 'indextargets', ...format])).split('\n');
    if (!mirror) throw new Error('apt knows no Debian archive');
    const sources = join(scratch, 'sources.list');
    await writeFile(sources, `deb ${mirror} ${RELEASE} main\n`);
    // The versions that the system has are of no interest.
    const only = [
      `Dir::Etc::SourceList=${sources}`,
      'Dir::Etc::SourceParts=-',
      'Dir::State::status=/dev/null',
    ];
    return [...own, ...only.flatMap((option) => ['-o', option])];
  },
};

function ownLists(scratch: string): string[] {
  return ['-o', `Dir::State::lists=${join(scratch, 'lists')}`, '-o', `Dir::Cache=${join(scratch, 'cache')}`];
}

/** Runs a program and returns what it prints. */
export async function run(program: string, args: readonly string[], cwd?: string): Promise<string> {
  try {
    const env = { ...process.env, LC_ALL: 'C' };
    const done = await promisify(execFile)(program, args, { env, ...(cwd === undefined ? {} : { cwd }) });
    return done.stdout;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new Error(`there is no ${basename(program)}`);
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    const first = stderr.split('\n').find((line) => /^E:|error/.test(line)) ?? stderr.split('\n')[0];
    throw new Error(
      `${basename(program)}: ${first || (error instanceof Error ? error.message : String(error))}`,
    );
  }
}
