/** What can go wrong with the files of rules. */

/** Kinds of errors: `denied`, `busy` (another program is changing the file), `not-a-file`, `io`. */
export type RuleFilesErrorCode = 'denied' | 'busy' | 'not-a-file' | 'io';

/** The only error of this folder. */
export class RuleFilesError extends Error {
  override readonly name = 'RuleFilesError';
  readonly code: RuleFilesErrorCode;
  readonly path: string;

  constructor(code: RuleFilesErrorCode, path: string, sentence: string, cause?: unknown) {
    super(sentence, cause === undefined ? {} : { cause });
    this.code = code;
    this.path = path;
  }
}

/** The system's error as one of ours. */
export function toRuleFilesError(error: unknown, doing: 'read' | 'written', path: string): RuleFilesError {
  if (error instanceof RuleFilesError) return error;
  const errno = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const code = errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS' ? 'denied' : 'io';
  return new RuleFilesError(code, path, `${path} cannot be ${doing} (${errno}).`, error);
}
