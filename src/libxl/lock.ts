/**
 * The lock of a domain's files, as libxl takes it: flock on a file that is created for it and removed with it.
 *
 * Whoever holds the lock removes the file before letting go. So a lock on a file that is no longer at the path is not
 * the lock, and whoever waits for it starts again with the file that is there now.
 */
import { constants, type FileHandle, lstat, open, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, DeadlineError, withDeadline } from '../async/index.js';
import { errnoOf, LibxlError, systemFailure } from './errors.js';
import type { Flock } from './flock.js';
import { holderOf, type Inode } from './holder.js';

/** How long to wait for a lock, and on which clock. */
interface LockWait {
  readonly clock: Clock;
  readonly withinMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Pauses between two tries, in milliseconds: libxl holds its locks for some milliseconds, rarely for seconds. */
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 25;

// A file of another kind must be neither followed nor waited for.
const OPEN_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const MODE = 0o600;

/** A lock that is held. */
class Lock {
  readonly #path: string;
  readonly #file: FileHandle;

  constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** Removes the file, then lets go of it: in this order, so that nobody can get a file that is about to be removed. */
  async release(): Promise<void> {
    try {
      await unlink(this.#path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw systemFailure(error, 'the lock cannot be removed', this.#path);
    } finally {
      await this.#file.close();
    }
  }
}

/**
 * Waits for the lock whose file is `path`, by trying at intervals: a wait for it in the system could not be ended.
 * Undefined when the folder does not exist.
 *
 * @throws {LibxlError} `timeout`, `denied`, `not-a-file`, `unsupported`, `io`
 * @throws the signal's reason, when it aborts
 */
export async function acquire(
  path: string,
  loadFlock: () => Promise<Flock>,
  wait: LockWait,
): Promise<Lock | undefined> {
  let held: Inode | undefined;
  try {
    if (!(await inodeAt(dirname(path), stat))) return undefined;
    // Before our own file exists: without flock nobody would remove it again.
    const flock = await loadFlock();
    return await withDeadline(wait.clock, wait, (signal) =>
      acquireUntil(path, flock, { ...wait, signal }, (file) => {
        held = file;
      }),
    );
  } catch (error) {
    if (wait.signal?.aborted && error === wait.signal.reason) throw error;
    if (error instanceof DeadlineError) throw await timeout(path, wait.withinMs, held);
    throw systemFailure(error, 'cannot be locked', path);
  }
}

async function acquireUntil(
  path: string,
  flock: Flock,
  wait: LockWait & { readonly signal: AbortSignal },
  onHeldByOther: (file: Inode) => void,
): Promise<Lock | undefined> {
  for (;;) {
    wait.signal.throwIfAborted();
    const file = await openLock(path);
    if (!file) return undefined;
    const lock = await tryFile(path, file, flock, wait, onHeldByOther);
    if (!lock) continue;
    if (!wait.signal.aborted) return lock;
    await lock.release();
  }
}

/**
 * Waits for the lock on an open file; undefined when there is another file at the path by then. Closes the file unless
 * it gets the lock.
 */
async function tryFile(
  path: string,
  file: FileHandle,
  flock: Flock,
  { clock, signal }: LockWait,
  onHeldByOther: (file: Inode) => void,
): Promise<Lock | undefined> {
  let isOurs = false;
  try {
    const own = await file.stat({ bigint: true });
    if (!own.isFile()) throw new LibxlError('not-a-file', `${path}: no regular file`, { path });
    for (let pause = FIRST_PAUSE_MS; !flock(file.fd); pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      onHeldByOther(own);
      await clock.sleep(pause, signal);
      // Whoever holds a file that is gone holds nothing: others that waited for it take it in turn, to find that out.
      if (!(await standsAt(path, own))) return undefined;
    }
    isOurs = await standsAt(path, own);
    return isOurs ? new Lock(path, file) : undefined;
  } finally {
    if (!isOurs) await file.close();
  }
}

async function openLock(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, OPEN_FLAGS, MODE);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function standsAt(path: string, file: Inode): Promise<boolean> {
  const now = await inodeAt(path, lstat);
  return now?.ino === file.ino && now.dev === file.dev;
}

async function inodeAt(path: string, look: typeof lstat): Promise<Inode | undefined> {
  try {
    return await look(path, { bigint: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function timeout(path: string, withinMs: number, file: Inode | undefined): Promise<LibxlError> {
  const holder = file && (await holderOf(file));
  const who = holder
    ? `held by process ${holder.pid}${holder.command ? ` (${holder.command})` : ''}`
    : 'held by another process';
  return new LibxlError('timeout', `${path}: ${who}, after waiting ${withinMs} ms`, {
    path,
    ...(holder && { holder }),
  });
}
