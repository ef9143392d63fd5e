/** The errors of what libxl stores about a domain. */

/**
 * Why a call failed:
 * - `malformed`: the text is not JSON, or our part of it does not have libxl's structure; for the place see
 *   {@link LibxlError.line} and {@link LibxlError.column}
 * - `too-large`: the file is larger than any configuration can be, and was not read
 * - `invalid-uuid`: a domain's uuid does not have the form of one; no path was made from it
 * - `not-a-file`: in place of a file there is something else: a symbolic link, a directory, a device
 * - `denied`: the system does not allow it (not root, or a read-only file system)
 * - `no-directory`: libxl's directory does not exist, so nothing can be written
 * - `timeout`: another process held the domain's lock for as long as we waited; nothing was changed
 * - `unsupported`: flock(2) cannot be called on this machine; nothing was changed
 * - `io`: any other error of the system, which is the cause
 */
export type LibxlErrorCode =
  | 'malformed'
  | 'too-large'
  | 'invalid-uuid'
  | 'not-a-file'
  | 'denied'
  | 'no-directory'
  | 'timeout'
  | 'unsupported'
  | 'io';

/** A process that holds a lock. */
export interface LockHolder {
  readonly pid: number;
  /** The name that the process has given itself, safe to print; undefined when it is already gone. */
  readonly command: string | undefined;
}

/** What is known about a {@link LibxlError} besides its code and text. */
export interface LibxlErrorDetails {
  /** The file's path. */
  readonly path?: string;
  /** Where in the text, in lines from 1. */
  readonly line?: number;
  /** Where in the line, in characters (UTF-16 units) from 1. */
  readonly column?: number;
  /** Who holds the lock, for a `timeout`. */
  readonly holder?: LockHolder;
  readonly cause?: unknown;
}

/** A failed call: its code, and what is known about it. */
export class LibxlError extends Error {
  override readonly name = 'LibxlError';
  readonly code: LibxlErrorCode;
  /** The file it was about, if it was about one. */
  readonly path: string | undefined;
  /** Where a text is `malformed`, in lines from 1. */
  readonly line: number | undefined;
  /** Where in that line, in characters (UTF-16 units) from 1. */
  readonly column: number | undefined;
  /** Who holds the lock, if known. */
  readonly holder: LockHolder | undefined;

  constructor(code: LibxlErrorCode, detail: string, more: LibxlErrorDetails = {}) {
    super(detail, more.cause === undefined ? {} : { cause: more.cause });
    this.code = code;
    this.path = more.path;
    this.line = more.line;
    this.column = more.column;
    this.holder = more.holder;
  }
}

/** True when `error` is a {@link LibxlError} of one of `codes` (of any, if none is given). */
export function isLibxlError(error: unknown, ...codes: LibxlErrorCode[]): error is LibxlError {
  return error instanceof LibxlError && (codes.length === 0 || codes.includes(error.code));
}

/** The system's name for an error, such as `ENOENT`; undefined when it is not a system error. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const CODES: Readonly<Record<string, LibxlErrorCode>> = {
  EACCES: 'denied',
  EPERM: 'denied',
  EROFS: 'denied',
  // What O_NOFOLLOW gives for a symbolic link, and what a directory or a socket in a file's place gives.
  ELOOP: 'not-a-file',
  EISDIR: 'not-a-file',
  ENXIO: 'not-a-file',
  ENOTDIR: 'no-directory',
};

/** The error for the system's answer when doing to `path` what `doing` says ("cannot read it") failed. */
export function systemFailure(error: unknown, doing: string, path: string): LibxlError {
  if (error instanceof LibxlError) return error;
  const errno = errnoOf(error);
  const code = (errno && CODES[errno]) || 'io';
  return new LibxlError(code, `${path}: ${doing}${errno ? ` (${errno})` : ''}`, { path, cause: error });
}
