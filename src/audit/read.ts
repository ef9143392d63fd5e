/** Reads the audit, while it is written too, and checks its chain. */
import { AuditError } from './errors.js';
import { auditFiles, linesOf, seqOf } from './files.js';
import {
  type AuditLine,
  type ChangeLine,
  LINE_MAX,
  NO_HASH,
  parseLine,
  type ReadLine,
  sha256,
} from './line.js';

/** No line of ours is longer. */
const READ_MAX = LINE_MAX + 1024;

/** Which changes to read; all unless given. */
export interface AuditFilter {
  /** By number, name or uuid. */
  readonly guest?: string | undefined;
  /** By busid. */
  readonly device?: string | undefined;
  /** Not those before. */
  readonly since?: Date | undefined;
  /** Only those with higher numbers. */
  readonly after?: number | undefined;
}

/**
 * The changes, oldest first. Nothing is checked, and what cannot be read is passed over: see {@link verifyAudit}.
 *
 * @throws {AuditError} `denied`, `io`
 */
export async function* readAudit(folder: string, filter: AuditFilter = {}): AsyncGenerator<ChangeLine> {
  const { after = 0 } = filter;
  const names = await auditFiles(folder);
  for (const [at, name] of names.entries()) {
    // Where the next file begins this one has ended: what has no number that is meant is not read.
    const next = names[at + 1];
    if (next === undefined || seqOf(next) > after + 1) yield* changesIn(folder, name, filter);
  }
}

/**
 * The latest `count` changes, oldest first; files that hold none of them are not read.
 *
 * @throws {AuditError} `denied`, `io`
 */
export async function latestChanges(folder: string, count: number): Promise<readonly ChangeLine[]> {
  let found: ChangeLine[] = [];
  for (const name of (await auditFiles(folder)).reverse()) {
    if (found.length >= count) break;
    const own: ChangeLine[] = [];
    for await (const change of changesIn(folder, name, {})) {
      own.push(change);
      // Only the last ones can be meant.
      if (own.length >= 2 * count) own.splice(0, count);
    }
    found = [...own, ...found];
  }
  return found.slice(-count);
}

/** A file that is gone has none: it was removed because of its age. */
async function* changesIn(folder: string, name: string, filter: AuditFilter): AsyncGenerator<ChangeLine> {
  try {
    for await (const { untrustedBytes } of linesOf(folder, name, READ_MAX)) {
      const record = parseLine(untrustedBytes.toString())?.record;
      if (record?.line === 'change' && isMeant(record, filter)) yield record;
    }
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof AuditError && error.code === 'gone';
}

/** Whether a change is one of those. */
export function isMeant({ seq, time, guests = [], devices = [] }: ChangeLine, filter: AuditFilter): boolean {
  const { guest, device, since, after } = filter;
  if (after !== undefined && seq <= after) return false;
  if (since && Date.parse(time) < since.getTime()) return false;
  if (device !== undefined && !devices.includes(device)) return false;
  return (
    guest === undefined || guests.some(({ domid, name, uuid }) => [String(domid), name, uuid].includes(guest))
  );
}

/** What a check has found. */
export interface AuditCheck {
  readonly files: number;
  readonly lines: number;
  /** Lines that a crash has cut short, as the line after each says. */
  readonly torn: number;
  /** Numbers of the first and the last line. */
  readonly first?: number | undefined;
  readonly last?: number | undefined;
  /** The first file goes on from one that is not there any more. */
  readonly hasEarlier: boolean;
  /** The last line is being written, or was when its writer ended. */
  readonly isOpen: boolean;
  /** The first place where the chain is broken. */
  readonly broken?: { readonly file: string; readonly line: number; readonly why: string } | undefined;
}

/** How often the oldest file may be removed while it is being read. */
const TRIES = 10;

/**
 * Checks every line of every file against the one before, while it is written too.
 *
 * @throws {AuditError} `denied`, `io`, `gone`
 */
export async function verifyAudit(folder: string): Promise<AuditCheck> {
  for (let left = TRIES; ; left--) {
    try {
      return await verifyOnce(folder);
    } catch (error) {
      if (!isGone(error) || left === 0) throw error;
    }
  }
}

async function verifyOnce(folder: string): Promise<AuditCheck> {
  const chain = new Chain();
  const names = await auditFiles(folder);
  for (const [at, file] of names.entries()) {
    let line = 0;
    chain.beginFile(file);
    for await (const { untrustedBytes, isOpen } of linesOf(folder, file, READ_MAX)) {
      line++;
      const why = isOpen && at === names.length - 1 ? chain.open() : chain.add(untrustedBytes, line);
      if (why) return chain.result({ file, ...why });
    }
    // The last one may just have been begun.
    if (line === 0 && at === names.length - 1) chain.open();
    const why = chain.endFile(line);
    if (why) return chain.result({ file, ...why });
  }
  return chain.result();
}

interface Broken {
  readonly line: number;
  readonly why: string;
}

/** The chain as far as it was followed. */
class Chain {
  #files = 0;
  #lines = 0;
  #torn = 0;
  #first: number | undefined;
  #last: number | undefined;
  #hash: string | undefined;
  #hasEarlier = false;
  #isOpen = false;
  #name = '';
  /** A line that cannot be read: the next one has to say that it is torn. */
  #unread: { readonly bytes: Buffer; readonly line: number } | undefined;

  beginFile(name: string): void {
    this.#files++;
    this.#name = name;
  }

  open(): undefined {
    this.#isOpen = true;
  }

  add(untrustedBytes: Buffer, line: number): Broken | undefined {
    const read = parseLine(untrustedBytes.toString());
    if (this.#unread && !(read && this.#isTold(this.#unread.bytes, read.record))) return this.#unreadable();
    if (!read) {
      this.#unread = { bytes: untrustedBytes, line };
      return undefined;
    }
    const why = this.#problem(read, line);
    if (why !== undefined) return { line, why };
    const { record, hash } = read;
    this.#unread = undefined;
    this.#hash = hash;
    this.#first ??= record.seq;
    this.#last = record.seq;
    this.#lines++;
    return undefined;
  }

  endFile(lines: number): Broken | undefined {
    if (this.#unread) return this.#unreadable();
    return lines === 0 && !this.#isOpen ? { line: 1, why: 'the file is empty' } : undefined;
  }

  result(broken?: Broken & { readonly file: string }): AuditCheck {
    return {
      files: this.#files,
      lines: this.#lines,
      torn: this.#torn,
      first: this.#first,
      last: this.#last,
      hasEarlier: this.#hasEarlier,
      isOpen: this.#isOpen,
      ...(broken ? { broken } : {}),
    };
  }

  #unreadable(): Broken {
    return { line: this.#unread!.line, why: 'it cannot be read' };
  }

  /** Why a line does not go on from the one before. */
  #problem({ record, hash, text }: ReadLine, line: number): string | undefined {
    if (record.line === 'begin') {
      if (line !== 1) return 'a file begins in the middle of another one';
      if (record.seq !== seqOf(this.#name)) return 'the file was renamed, or its beginning is missing';
      if (this.#hash === undefined) {
        this.#hash = record.after ?? NO_HASH;
        this.#hasEarlier = record.after !== undefined;
      } else if (record.after !== this.#hash) return 'the file does not continue the one before it';
    } else if (line === 1) return 'the beginning of the file is missing';
    if (this.#last !== undefined && record.seq !== this.#last + 1)
      return `its number is ${record.seq}, after ${this.#last}`;
    if (hash !== sha256(this.#hash ?? NO_HASH, text))
      return 'it does not continue the line before it, or was changed';
    if (record.line !== 'torn') return undefined;
    if (!this.#unread) return 'it says that the line before it is torn, but that is not the case';
    this.#torn++;
    return undefined;
  }

  /** Whether a line says of the one before that it is torn. */
  #isTold(torn: Buffer, record: AuditLine): boolean {
    return record.line === 'torn' && record.bytes === torn.length && record.sha256 === sha256(torn);
  }
}
