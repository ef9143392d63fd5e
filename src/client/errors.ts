/** Errors that a daemon tells of. */
import type { IncomingMessage } from 'node:http';
import { errorAnswer } from '../api/index.js';
import { type ErrorJson, HalfDoneError } from '../commands/index.js';
import { PvusbError } from '../pvusb/index.js';

/** The error that a daemon tells of. */
export function errorOf({ statusCode }: Pick<IncomingMessage, 'statusCode'>, text: string): PvusbError {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    // Not a daemon's.
  }
  const { success, data } = errorAnswer.safeParse(told);
  if (!success) return notUnderstood(`status ${statusCode}`);
  const { code, message, ...details } = data.error;
  return new PvusbError(code, message, { ...details, ...causeOf(data) });
}

/** What an operation of several changes had done before it failed is its cause. */
function causeOf({ changes }: ErrorJson) {
  return changes === undefined ? {} : { cause: new HalfDoneError(undefined, changes) };
}

/** Something other than our daemon, or another version of it, has answered. */
export function notUnderstood(why: string): PvusbError {
  return new PvusbError('daemon-answer', `The answer is not understood: ${why}.`);
}
