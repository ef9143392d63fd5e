/** Debian's packages, unpacked into a cache folder and never installed. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ownLists } from '../../lab/debian/mirrors.js';
import { report } from './needs.js';

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

/** Downloads packages with the system's lists, otherwise with fresh lists. */
async function download(folder: string, what: string, packages: readonly string[]): Promise<void> {
  await mkdir(folder);
  const scratch = join(dirname(folder), 'apt');
  const fresh = await ownLists(scratch);
  try {
    await run('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', '-qq', ...packages], folder).catch(
      async () => {
        await run('apt-get', [...fresh, 'update', '-qq']);
        await run('apt-get', [...fresh, 'download', '-qq', ...packages], folder);
      },
    );
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    throw new Error(`the Debian packages of ${what} can't be downloaded: ${fault}`);
  }
  await rm(scratch, { recursive: true });
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
