/** Who holds a lock, according to /proc/locks: only for a message, nothing depends on it. */
import { readFile } from 'node:fs/promises';
import type { LockHolder } from './errors.js';
import { printable } from './printable.js';

/** A file by its numbers, as stat(2) gives them. */
export interface Inode {
  readonly dev: bigint;
  readonly ino: bigint;
}

// `1: FLOCK  ADVISORY  WRITE 1234 fe:00:2148687 0 EOF`; a waiter has `->` after the number.
const FLOCK_LINE = /^\d+: FLOCK +ADVISORY +WRITE +(\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) /gm;

/**
 * The process that holds the exclusive flock of a file, according to the text of /proc/locks; undefined when that does
 * not say. The inode must be the file's; so must the device, if several files have the inode: file systems on several
 * volumes show a different device there from stat.
 */
export function pidOfHolder(untrustedLocks: string, file: Inode): number | undefined {
  const device = `${majorOf(file.dev)}:${minorOf(file.dev)}`;
  const holders = [...untrustedLocks.matchAll(FLOCK_LINE)]
    .filter(([, , , , ino]) => BigInt(ino!) === file.ino)
    .map(([, pid, major, minor]) => ({
      pid: Number(pid),
      isSure: `${Number.parseInt(major!, 16)}:${Number.parseInt(minor!, 16)}` === device,
    }));
  const holder = holders.find(({ isSure }) => isSure) ?? (holders.length === 1 ? holders[0] : undefined);
  // 0: a process that cannot be seen from this pid namespace.
  return holder && holder.pid > 0 ? holder.pid : undefined;
}

/** The process that holds the exclusive flock of a file; undefined when it is not known. */
export async function holderOf(file: Inode): Promise<LockHolder | undefined> {
  try {
    const pid = pidOfHolder(await readFile('/proc/locks', 'utf8'), file);
    return pid === undefined ? undefined : { pid, command: await commandOf(pid) };
  } catch {
    return undefined;
  }
}

async function commandOf(pid: number): Promise<string | undefined> {
  try {
    return printable((await readFile(`/proc/${pid}/comm`, 'utf8')).trimEnd());
  } catch {
    return undefined;
  }
}

/** makedev(3)'s encoding of a device number. */
function majorOf(dev: bigint): bigint {
  return ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
}

function minorOf(dev: bigint): bigint {
  return (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
}
