/** The errors of what libxl keeps of a domain. */

/**
 * Why a call failed:
 * - `malformed`: the text is no JSON, or our part of it has not the shape that libxl gives it; where: see
 *   {@link LibxlError.line} and {@link LibxlError.column}
 * - `too-large`: the file is larger than any configuration can be, and was not read
 * - `invalid-uuid`: a domain's uuid has not the form of one; no path was made of it
 * - `not-a-file`: a file's place is taken by what is no regular file: a symbolic link, a directory, a device
 * - `denied`: the system does not let us (not root, or a file system that is read-only)
 * - `no-directory`: libxl's directory is not there, so nothing can be written
 * - `timeout`: another process held the domain's lock all the time we waited; nothing was changed
 * - `unsupported`: this machine offers no flock(2) to us; nothing was changed
 * - `io`: anything else that the system answers; its error is the cause
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
  /** The name that the process has given itself, fit to print; undefined when it is gone already. */
  readonly command: string | undefined;
}

/** What is known of a {@link LibxlError} beside its code and text. */
export interface LibxlErrorDetails {
  /** The file's path. */
  readonly path?: string;
  /** Where in the text, in lines from 1. */
  readonly line?: number;
  /** Where in the line, in characters (UTF-16 units) from 1. */
  readonly column?: number;
  /** Who holds the lock, of a `timeout`. */
  readonly holder?: LockHolder;
  readonly cause?: unknown;
}

/** A call that failed: its code, and what is known of it. */
export class LibxlError extends Error {
  override readonly name = 'LibxlError';
  readonly code: LibxlErrorCode;
  /** The file it was about, if it was about one. */
  readonly path: string | undefined;
  /** Where a text is `malformed`, in lines from 1. */
  readonly line: number | undefined;
  /** Where in that line, in characters (UTF-16 units) from 1. */
  readonly column: number | undefined;
  /** Who holds the lock, when that could be told. */
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

/** The system's name of an error, as `ENOENT`; undefined when it is none of the system's. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const CODES: Readonly<Record<string, LibxlErrorCode>> = {
  EACCES: 'denied',
  EPERM: 'denied',
  EROFS: 'denied',
  // What O_NOFOLLOW says of a symbolic link, and what is said of a directory or a socket in a file's place.
  ELOOP: 'not-a-file',
  EISDIR: 'not-a-file',
  ENXIO: 'not-a-file',
  ENOTDIR: 'no-directory',
};

/** The error for what the system answered when `path` was to be treated as `doing` says ("cannot read it"). */
export function systemFailure(error: unknown, doing: string, path: string): LibxlError {
  if (error instanceof LibxlError) return error;
  const errno = errnoOf(error);
  const code = (errno && CODES[errno]) || 'io';
  return new LibxlError(code, `${path}: ${doing}${errno ? ` (${errno})` : ''}`, { path, cause: error });
}
