/**
 * Writes the audit. One process at a time may: its lock is that of the file `lock` in the folder. A line is one write,
 * and is on disk when {@link AuditLog.append} resolves. Files are only ever added to, so that a crash costs at most the
 * line that was being written: what there is of it stays, and the next line says so.
 */
import { constants, type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Mutex } from '../async/index.js';
import { type Flock, loadFlock } from '../libxl/flock.js';
import { holderOf } from '../libxl/holder.js';
import { type AuditEnd, auditEnd } from './end.js';
import type { AuditEntry } from './entry.js';
import { AuditError, toAuditError } from './errors.js';
import { auditFiles, nameOf } from './files.js';
import { type AuditLine, type ChangeLine, formatLine, NO_HASH, sha256 } from './line.js';

/** Nobody but root: requests may name what is nobody else's business. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o750;

/** A file is ended when it has reached this; the oldest are removed. */
const BYTES_MAX = 8 * 1024 * 1024;
const KEEP = 12;

/** Options of {@link openAudit}. */
export interface AuditOptions {
  /** The time; the system's unless given. */
  readonly now?: (() => Date) | undefined;
  /** How long a file gets, in bytes, and how many are kept; 8 MiB and 12 unless given. */
  readonly bytesMax?: number | undefined;
  readonly keep?: number | undefined;
  /** Gets every change too; what it throws goes to `trouble`, and fails nothing. */
  readonly also?: ((change: ChangeLine, hash: string) => void | Promise<void>) | undefined;
  readonly trouble?: ((error: unknown) => void) | undefined;
  /** What locks a file; flock(2) unless given. */
  readonly flock?: Flock | undefined;
}

/** The audit, open for writing. */
export interface AuditLog {
  /**
   * Adds a change, with its number and time. When it resolves, the line is on disk.
   *
   * @throws {AuditError} `denied`, `io`: then it may be there in part, which the next line will say; `closed`
   */
  append(entry: AuditEntry): Promise<ChangeLine>;
  /** Waits for what is being added, and lets another process write. */
  close(): Promise<void>;
}

/**
 * Opens the audit in a folder, which is made if there is none.
 *
 * @throws {AuditError} `locked`: another process writes it, and is named; `denied`, `io`, `unsupported`
 */
export async function openAudit(folder: string, options: AuditOptions = {}): Promise<AuditLog> {
  const lock = await takeLock(folder, options);
  const log = new Log(folder, lock, options);
  try {
    await log.resume();
    return log;
  } catch (error) {
    await log.close();
    throw toAuditError(error, 'written', folder);
  }
}

async function takeLock(folder: string, options: AuditOptions): Promise<FileHandle> {
  const path = join(folder, 'lock');
  try {
    await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    const flock = options.flock ?? (await loadLock());
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE);
    const holder = await lockedBy(file, flock);
    if (holder === 'us') return file;
    const who = holder
      ? `process ${holder.pid}${holder.command ? ` (${holder.command})` : ''}`
      : 'another process';
    throw new AuditError('locked', `The audit log in ${folder} is being written by ${who}.`);
  } catch (error) {
    throw toAuditError(error, 'written', path);
  }
}

/** Locks it; otherwise it is closed, and the result is who has the lock, if that can be told. */
async function lockedBy(file: FileHandle, flock: Flock) {
  let isOurs = false;
  try {
    isOurs = flock(file.fd);
    return isOurs ? 'us' : await holderOf(await file.stat({ bigint: true }));
  } finally {
    if (!isOurs) await file.close();
  }
}

async function loadLock(): Promise<Flock> {
  try {
    return await loadFlock();
  } catch (error) {
    throw new AuditError('unsupported', 'Files cannot be locked on this machine.', error);
  }
}

/** The file that is written. */
interface Current {
  readonly file: FileHandle;
  readonly size: number;
}

class Log implements AuditLog {
  readonly #folder: string;
  readonly #lock: FileHandle;
  readonly #options: AuditOptions;
  readonly #turns = new Mutex();
  #end: AuditEnd = { seq: 0, hash: NO_HASH };
  #current: Current | undefined;
  /** What is in the files is not known any more. */
  #isInDoubt = false;
  #isClosed = false;

  constructor(folder: string, lock: FileHandle, options: AuditOptions) {
    this.#folder = folder;
    this.#lock = lock;
    this.#options = options;
  }

  append(entry: AuditEntry): Promise<ChangeLine> {
    return this.#turns.run(async () => {
      if (this.#isClosed) throw new AuditError('closed', 'The audit log is closed.');
      try {
        if (this.#isInDoubt) await this.resume();
        const record: ChangeLine = { line: 'change', ...this.#next(), ...entry };
        const { bytesMax = BYTES_MAX } = this.#options;
        const { bytes } = formatLine(record, this.#end.hash);
        const isFull = this.#current && this.#current.size + bytes.length > bytesMax;
        const added = !this.#current || isFull ? await this.#addToNew(record) : await this.#add(record);
        await this.#tell(added);
        return added;
      } catch (error) {
        this.#isInDoubt = true;
        throw toAuditError(error, 'written', this.#folder);
      }
    });
  }

  close(): Promise<void> {
    return this.#turns.run(async () => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      // Whatever becomes of the file, others may write again.
      await this.#leave().finally(() => this.#lock.close());
    });
  }

  /** Finds the end of the chain, and says so if a line is torn. */
  async resume(): Promise<void> {
    await this.#leave();
    const end = await auditEnd(this.#folder);
    this.#end = end;
    const { last, torn, unfinished } = end;
    // Not even its first line is whole: nothing is lost with it but its name.
    if (unfinished !== undefined) {
      const path = join(this.#folder, unfinished);
      await rename(path, `${path}.torn`);
    }
    if (last !== undefined) {
      const file = await open(
        join(this.#folder, last),
        constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW,
      );
      // Whatever fails from here on, it is closed with the log.
      this.#current = { file, size: 0 };
      this.#current = { file, size: (await file.stat()).size };
      if (torn) await this.#put(Buffer.from('\n'));
      if (torn && torn.length > 0)
        await this.#add({ line: 'torn', ...this.#next(), bytes: torn.length, sha256: sha256(torn) });
    }
    this.#isInDoubt = false;
  }

  /** Closes the file that is written, if there is one. */
  async #leave(): Promise<void> {
    const file = this.#current?.file;
    this.#current = undefined;
    await file?.close();
  }

  #next(): { seq: number; time: string } {
    const now = this.#options.now?.() ?? new Date();
    return { seq: this.#end.seq + 1, time: now.toISOString() };
  }

  async #put(bytes: Buffer): Promise<void> {
    const { file, size } = this.#current!;
    const { bytesWritten } = await file.write(bytes);
    if (bytesWritten < bytes.length)
      throw new AuditError('io', `The audit log in ${this.#folder} was truncated.`);
    await file.datasync();
    this.#current = { file, size: size + bytes.length };
  }

  async #add<T extends AuditLine>(record: T): Promise<T> {
    const { bytes, hash } = formatLine(record, this.#end.hash);
    await this.#put(bytes);
    this.#end = { seq: record.seq, hash };
    return record;
  }

  /** Begins another file, whose first line carries the chain over; the name is on disk before anything else is written. */
  async #addToNew(record: ChangeLine): Promise<ChangeLine> {
    const { hash, why } = this.#end;
    const begin = { line: 'begin', seq: record.seq, time: record.time } as const;
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL;
    await this.#leave();
    this.#current = { file: await open(join(this.#folder, nameOf(begin.seq)), flags, FILE_MODE), size: 0 };
    await this.#add({
      ...begin,
      ...(hash === NO_HASH ? {} : { after: hash }),
      ...(why === undefined ? {} : { why }),
    });
    await syncFolder(this.#folder);
    const added = await this.#add({ ...record, seq: begin.seq + 1 });
    await this.#removeOldest();
    return added;
  }

  async #removeOldest(): Promise<void> {
    const { keep = KEEP } = this.#options;
    const names = await auditFiles(this.#folder);
    for (const name of names.slice(0, Math.max(0, names.length - keep)))
      await unlink(join(this.#folder, name));
  }

  async #tell(change: ChangeLine): Promise<void> {
    try {
      await this.#options.also?.(change, this.#end.hash);
    } catch (error) {
      this.#options.trouble?.(error);
    }
  }
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r');
  await handle.sync();
}
