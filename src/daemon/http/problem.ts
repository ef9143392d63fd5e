/** Problems of a request itself, for which HTTP has a status of its own. */
import { statusOf } from '../../api/index.js';
import { type ErrorJson, errorJson, HalfDoneError } from '../../commands/index.js';
import { PvusbError } from '../../pvusb/index.js';

/** An error, and how it is answered. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly status: number;
  readonly error: PvusbError;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, error: PvusbError, headers: Readonly<Record<string, string>> = {}) {
    super(error.message, { cause: error });
    this.status = status;
    this.error = error;
    this.headers = headers;
  }
}

/** A request that makes no sense. */
export function invalid(message: string, status = 400): HttpProblem {
  return new HttpProblem(status, new PvusbError('invalid-argument', message));
}

/** How an error is answered. */
interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorJson;
  /** It is a bug: whoever runs the daemon has to know. */
  readonly isFault: boolean;
}

/** The answer for anything that was thrown. What was not meant to be thrown is not told to others. */
export function problemAnswer(thrown: unknown): ProblemAnswer {
  if (thrown instanceof HttpProblem) {
    const { status, headers, error } = thrown;
    return { status, headers, body: errorJson(error), isFault: false };
  }
  const { cause, changes } = thrown instanceof HalfDoneError ? thrown : { cause: thrown, changes: undefined };
  const isFault = !(cause instanceof PvusbError);
  const error = isFault ? new PvusbError('internal', 'The daemon had an internal error.') : cause;
  const headers = {
    ...(error.group === 'moment' ? { 'Retry-After': '1' } : {}),
    ...(error.code === 'not-authenticated' ? { 'WWW-Authenticate': 'Bearer' } : {}),
  };
  return { status: statusOf(error.code), headers, body: errorJson(error, changes), isFault };
}
