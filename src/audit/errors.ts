/** What can go wrong with the audit's files. */

/**
 * `locked`: another process writes it. `denied`; `io`; `unsupported`: this machine has no locks. `closed`. `gone`: the
 * file was removed because of its age.
 */
type AuditErrorCode = 'locked' | 'denied' | 'io' | 'unsupported' | 'closed' | 'gone';

/** The only error of this folder. */
export class AuditError extends Error {
  override readonly name = 'AuditError';
  readonly code: AuditErrorCode;

  constructor(code: AuditErrorCode, sentence: string, cause?: unknown) {
    super(sentence, cause === undefined ? {} : { cause });
    this.code = code;
  }
}

/** The system's error as one of ours. */
export function toAuditError(error: unknown, doing: 'read' | 'written', path: string): AuditError {
  if (error instanceof AuditError) return error;
  const errno = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const denied = ['EACCES', 'EPERM', 'EROFS'].includes(errno) ? 'denied' : 'io';
  const code = errno === 'ENOENT' && doing === 'read' ? 'gone' : denied;
  return new AuditError(code, `${path} cannot be ${doing} (${errno}).`, error);
}
