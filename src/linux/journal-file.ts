/** A journal in a file that every process maps: in /run it outlives the process, but not the machine. */
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { JOURNAL_BYTES } from '../backend/journal.js';
import type { Libc } from './libc.js';

/**
 * Maps a journal, made if there is none. Its writes are seen by whoever maps it next, also if this process is killed.
 *
 * @throws an error with an errno as `code`
 */
export function openJournal(libc: Libc, path: string): Uint8Array {
  // Others may enter: the daemon's socket, which is for a group, is in the same folder.
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const fd = openSync(path, 'a+', 0o600);
  try {
    ftruncateSync(fd, JOURNAL_BYTES);
    return libc.map(fd, JOURNAL_BYTES, 0).bytes;
  } finally {
    closeSync(fd);
  }
}

/** Removes a journal; whoever has it mapped keeps it. */
export function removeJournal(path: string): void {
  rmSync(path, { force: true });
}
