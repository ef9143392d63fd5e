/** flock(2), which Node has no call for; libxl's locks are of this kind, and no other kind interacts with them. */
import { constants } from 'node:os';
import { loadLibrary } from '../linux/library.js';
import { LibxlError } from './errors.js';

/**
 * Takes the exclusive lock of an open file without waiting: true when it is ours, false when another process has it.
 * The lock is released when the file is closed, also by the end of the process.
 *
 * @throws {LibxlError} `io`: the file system has no such locks
 */
export type Flock = (fd: number) => boolean;

/** flock(2): exclusive, and an error instead of waiting. The numbers are the same on all Linux systems. */
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Loads the library that calls flock(2). Only a command that takes a lock pays for it.
 *
 * @throws {LibxlError} `unsupported`: the package has no binary for this machine
 */
export async function loadFlock(): Promise<Flock> {
  const { func, errno } = await loadLibrary().catch((cause: unknown) => {
    throw new LibxlError('unsupported', 'flock cannot be called on this machine', { cause });
  });
  const flock = func('int flock(int, int)');
  return (fd) => {
    for (;;) {
      if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
      const failed = errno();
      if (failed === constants.errno.EWOULDBLOCK) return false;
      if (failed !== constants.errno.EINTR) throw new LibxlError('io', `flock failed (errno ${failed})`);
    }
  };
}
