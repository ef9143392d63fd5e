/** The errors of the xenstore client. */

/** errno names that the daemons answer (`xs_wire.h: xsd_errors`; oxenstored adds EQUOTA). */
export const KNOWN_ERRNOS = [
  'EINVAL',
  'EACCES',
  'EEXIST',
  'EISDIR',
  'ENOENT',
  'ENOMEM',
  'ENOSPC',
  'EIO',
  'ENOTEMPTY',
  'ENOSYS',
  'EROFS',
  'EBUSY',
  'EAGAIN',
  'EISCONN',
  'E2BIG',
  'EPERM',
  'EQUOTA',
] as const;

/**
 * Why a call failed: the daemon's errno (`ENOENT`), or one of the client's own:
 * - `connection-lost`: the daemon went away; whether the request was carried out is not known
 * - `unreachable`: no connection could be made
 * - `protocol`: the daemon sent something that is not xenstore's protocol
 * - `invalid-path`, `too-long`: refused before sending; nothing happened
 * - `too-many-retries`: every attempt at a transaction conflicted with another writer
 * - `unknown-errno`: the daemon answered an errno that is not in this table
 */
export type XenstoreErrorCode =
  | (typeof KNOWN_ERRNOS)[number]
  | 'connection-lost'
  | 'unreachable'
  | 'protocol'
  | 'invalid-path'
  | 'too-long'
  | 'too-many-retries'
  | 'unknown-errno';

/** A failed xenstore call: its code, the operation and the path it was for. */
export class XenstoreError extends Error {
  override readonly name = 'XenstoreError';
  readonly code: XenstoreErrorCode;
  /** The operation, as {@link MessageName}: `read`; or `connect`, `transaction`. */
  readonly operation: string;
  readonly path: string | undefined;
  /** What went wrong, without operation and path. */
  readonly detail: string;

  constructor(
    code: XenstoreErrorCode,
    operation: string,
    path: string | undefined,
    detail: string,
    cause?: unknown,
  ) {
    super(
      `xenstore ${operation}${path === undefined ? '' : ` ${path}`}: ${detail}`,
      cause === undefined ? {} : { cause },
    );
    this.code = code;
    this.operation = operation;
    this.path = path;
    this.detail = detail;
  }

  /** The same failure, for another call that ran into it. */
  in(operation: string, path: string | undefined): XenstoreError {
    return new XenstoreError(this.code, operation, path, this.detail, this);
  }
}

/** True when `error` is a {@link XenstoreError} of one of `codes` (of any, if none is given). */
export function isXenstoreError(error: unknown, ...codes: XenstoreErrorCode[]): error is XenstoreError {
  return error instanceof XenstoreError && (codes.length === 0 || codes.includes(error.code));
}

/** The code for an errno name as it came over the wire. */
export function errnoCode(untrustedName: string): XenstoreErrorCode {
  return KNOWN_ERRNOS.find((name) => name === untrustedName) ?? 'unknown-errno';
}

/** The system's errno behind an `unreachable` error: `ENOENT`, `EACCES`, `ECONNREFUSED`. */
export function causeCode(error: Error): string | undefined {
  return (error.cause as NodeJS.ErrnoException | undefined)?.code;
}
