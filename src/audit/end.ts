/** Where the chain ends, for whoever goes on with it. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { toAuditError } from './errors.js';
import { auditFiles, seqOf } from './files.js';
import { LINE_MAX, NO_HASH, parseLine, sha256 } from './line.js';

/** The end of the chain. */
export interface AuditEnd {
  /** The number of the last line; 0 if there is none. */
  readonly seq: number;
  readonly hash: string;
  /** The file to go on with; absent if another one is to be begun. */
  readonly last?: string | undefined;
  /** What comes after its last whole line: the beginning of one; empty if only the line feed is missing. */
  readonly torn?: Buffer | undefined;
  /** A file without a whole line. */
  readonly unfinished?: string | undefined;
  /** Why the chain cannot go on. */
  readonly why?: string | undefined;
}

/** Room for the last two lines and the beginning of another one, their hashes included. */
const TAIL = 3 * (LINE_MAX + 1024);

/**
 * Looks at the last lines of the files.
 *
 * @throws {AuditError} `denied`, `io`
 */
export async function auditEnd(folder: string): Promise<AuditEnd> {
  const names = await auditFiles(folder);
  const name = names.at(-1);
  if (name === undefined) return { seq: 0, hash: NO_HASH };
  const end = await endOf(folder, name);
  if (end) return end;
  const before = names.at(-2);
  const goesOn = before === undefined ? undefined : await endOf(folder, before);
  return { seq: 0, hash: NO_HASH, ...goesOn, unfinished: name };
}

/** Undefined if the file has no whole line. */
async function endOf(folder: string, name: string): Promise<AuditEnd | undefined> {
  const untrustedTail = await tailOf(join(folder, name));
  const lines = split(untrustedTail);
  const torn = lines.pop()!;
  const [before, last] = [lines.at(-2), lines.at(-1)];
  // A line that lacks nothing but its line feed.
  const open = parseLine(torn.toString());
  const after = last && parseLine(last.toString());
  if (open && after && open.hash === sha256(after.hash, open.text))
    return { seq: open.record.seq, hash: open.hash, last: name, torn: Buffer.alloc(0) };
  if (last === undefined) return undefined;
  if (after)
    return { seq: after.record.seq, hash: after.hash, last: name, ...(torn.length > 0 ? { torn } : {}) };
  const why = `The last line of ${name} cannot be read.`;
  const earlier = before && parseLine(before.toString());
  // Numbers never come twice: a file has fewer lines than bytes.
  const seq = earlier ? earlier.record.seq + 1 : seqOf(name) + untrustedTail.length;
  return { seq, hash: NO_HASH, why };
}

function split(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let at = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, at)) {
    lines.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return [...lines, bytes.subarray(at)];
}

async function tailOf(path: string): Promise<Buffer> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const length = Math.min(size, TAIL);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    throw toAuditError(error, 'read', path);
  }
}
