/** The folder of rules: one file that commands change, and a drop-in folder that they only read. */
import {
  constants,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  stat,
  unlink,
} from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, Mutex } from '../async/index.js';
import type { RuleFile } from '../rules/index.js';
import { RuleFilesError, toRuleFilesError } from './errors.js';
import { listen } from './listen.js';
import { DROP_IN, ENDING, MAIN } from './names.js';

/** Where the rules are, unless told otherwise. */
export const RULES_ROOT = '/etc/pvusb';

/** Longest file read, in bytes. */
const BYTES_MAX = 4_000_000;

/** How long another program may take to change the file, and the age from which what it left is a leftover. */
const CHANGE_WITHIN_MS = 2_000;
const RETRY_MS = 50;
const LEFTOVER_MS = 10_000;

/** The files of rules below one folder. */
export interface RuleFiles {
  readonly root: string;
  /**
   * All files, in order, by their names below the folder; none if there is no folder.
   *
   * @throws {RuleFilesError} `denied`, `not-a-file`, `io`
   */
  read(options?: { readonly signal?: AbortSignal | undefined }): Promise<readonly RuleFile[]>;
  /**
   * Changes the text of a file, which is empty if there is none: all of it, or nothing. `change` returns the new text,
   * or undefined to leave the file as it is.
   *
   * @throws {RuleFilesError} `denied`, `busy`, `not-a-file`, `io`; what `change` throws
   */
  change(path: string, change: (text: string) => string | undefined): Promise<void>;
  /** Calls `hear` whenever a file may have changed, until the function returned is called. Absent: nothing reports it. */
  readonly listen?: (hear: () => void) => () => void;
}

/** The files of rules below `root`. Nothing is read until asked for. */
export function openRuleFiles(root: string, clock: Clock): RuleFiles {
  // Those of this process take turns: they would only keep trying to be faster than each other.
  const turns = new Mutex();
  return {
    root,
    listen: (hear) => listen(root, hear),
    async read({ signal } = {}) {
      const dropIns = (await namesIn(join(root, DROP_IN)))
        .filter((name) => name.endsWith(ENDING) && !name.startsWith('.'))
        .sort()
        .map((name) => `${DROP_IN}/${name}`);
      const files: RuleFile[] = [];
      for (const path of [MAIN, ...dropIns]) {
        signal?.throwIfAborted();
        const text = await readIfThere(join(root, path));
        if (text !== undefined) files.push({ path, text });
      }
      return files;
    },
    change: (path, change) => turns.run(() => changeFile(join(root, path), clock, change)),
  };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw toRuleFilesError(error, 'read', folder);
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    const { size } = await requireFile(path, stat);
    if (size > BYTES_MAX) throw new RuleFilesError('io', path, `${path} has more than ${BYTES_MAX} bytes.`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw toRuleFilesError(error, 'read', path);
  }
}

async function requireFile(path: string, look: typeof stat) {
  const found = await look(path);
  if (!found.isFile()) throw new RuleFilesError('not-a-file', path, `${path} is not a regular file.`);
  return found;
}

/** The new file is made beside the old one and replaces it; while it is there, no one else makes one. */
async function changeFile(
  path: string,
  clock: Clock,
  change: (text: string) => string | undefined,
): Promise<void> {
  const made = `${path}~`;
  try {
    await mkdir(join(path, '..'), { recursive: true, mode: 0o755 });
    await using file = await openNew(made, clock);
    try {
      const there = await requireFile(path, lstat).catch((error: unknown) => {
        if (isAbsent(error)) return undefined;
        throw error;
      });
      const text = there ? textOf(path, await readFile(path)) : '';
      const changed = change(text);
      if (changed === undefined || changed === text) return await unlink(made);
      if (there) {
        await file.chown(there.uid, there.gid);
        await file.chmod(there.mode & 0o777);
      }
      await file.writeFile(changed);
      await file.sync();
      // Whoever was stopped meanwhile was taken for dead: what is there now is somebody else's.
      if (!(await isOwn(file, made))) throw busy(made);
      await rename(made, path);
    } catch (error) {
      if (await isOwn(file, made)) await unlink(made).catch(() => undefined);
      throw error;
    }
  } catch (error) {
    // What `change` has to say is said as it is.
    if (error instanceof Error && !('syscall' in error)) throw error;
    throw toRuleFilesError(error, 'written', path);
  }
}

async function openNew(path: string, clock: Clock) {
  const endMs = clock.nowMs() + CHANGE_WITHIN_MS;
  for (;;) {
    try {
      return await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      if (await isLeftover(path)) await unlink(path).catch(() => undefined);
      else if (clock.nowMs() >= endMs) throw busy(path, error);
      else await clock.sleep(RETRY_MS);
    }
  }
}

function busy(path: string, cause?: unknown): RuleFilesError {
  return new RuleFilesError('busy', path, `${path} exists: another program is changing the rules.`, cause);
}

/** A program that was killed while it changed the file leaves its new one; the clock may have been put back since. */
async function isLeftover(path: string): Promise<boolean> {
  const made = await lstat(path).catch(() => undefined);
  return made !== undefined && Math.abs(Date.now() - made.mtimeMs) > LEFTOVER_MS;
}

async function isOwn(file: FileHandle, path: string): Promise<boolean> {
  const [own, there] = await Promise.all([file.stat(), lstat(path).catch(() => undefined)]);
  return own.ino === there?.ino && own.dev === there.dev;
}

/** What is written back must be what was there: bytes that are no text would not be. */
function textOf(path: string, untrustedBytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(untrustedBytes);
  } catch (error) {
    throw new RuleFilesError(
      'io',
      path,
      `${path} is not valid UTF-8: correct it by hand, or convert it.`,
      error,
    );
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
