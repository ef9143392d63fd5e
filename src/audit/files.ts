/** The audit's files: named by the number of their first line, so that their order is that of their names. */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { toAuditError } from './errors.js';

/** Where they are, unless told otherwise. */
export const AUDIT_ROOT = '/var/log/pvusb';

const NAME = /^audit-(\d{12})\.jsonl$/;

/** The file whose first line has this number. */
export function nameOf(seq: number): string {
  return `audit-${String(seq).padStart(12, '0')}.jsonl`;
}

/** The number of the first line of a file with this name. */
export function seqOf(name: string): number {
  return Number(NAME.exec(name)?.[1]);
}

/**
 * The names of the files, oldest first; none if there is no folder.
 *
 * @throws {AuditError} `denied`, `io`
 */
export async function auditFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => NAME.test(name)).sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw toAuditError(error, 'read', folder);
  }
}

/** A line as it is in its file. */
interface RawLine {
  readonly untrustedBytes: Buffer;
  /** It has no line feed: it is the last one, and was being written. */
  readonly isOpen: boolean;
}

/**
 * The lines of a file, in pieces of at most `max` bytes if there are longer ones.
 *
 * @throws {AuditError} `denied`, `io`, `gone`
 */
export async function* linesOf(folder: string, name: string, max: number): AsyncGenerator<RawLine> {
  const path = join(folder, name);
  try {
    await using file = await open(path, 'r');
    let left = Buffer.alloc(0);
    for await (const chunk of file.createReadStream({ autoClose: false })) {
      left = Buffer.concat([left, chunk as Buffer]);
      for (let end = left.indexOf(10); end >= 0; end = left.indexOf(10)) {
        yield { untrustedBytes: left.subarray(0, end), isOpen: false };
        left = left.subarray(end + 1);
      }
      while (left.length > max) {
        yield { untrustedBytes: left.subarray(0, max), isOpen: false };
        left = left.subarray(max);
      }
    }
    if (left.length > 0) yield { untrustedBytes: left, isOpen: true };
  } catch (error) {
    throw toAuditError(error, 'read', path);
  }
}
