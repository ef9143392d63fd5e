/** Tells a person why a command failed, and a script by its exit status. */
import { PvusbError } from '../pvusb/index.js';
import { printable } from '../sysfs/index.js';
import { printableJson } from './printable.js';
import { remedyOf } from './remedies.js';
import type { Terminal } from './terminal.js';

/** An invalid command line: exit status 2, with a hint where to find help. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A command of several changes failed: why, and what it had done until then. */
export class HalfDoneError extends Error {
  override readonly name = 'HalfDoneError';
  readonly changes: readonly unknown[];

  constructor(cause: unknown, changes: readonly unknown[]) {
    super('A command of several changes failed.', { cause });
    this.changes = changes;
  }
}

/** Exit status of a wrong command line. */
export const USAGE_STATUS = 2;

/** Prints an error and gives the exit status; with `json`, as an object on standard output too, with what was done. */
export function reportError(terminal: Terminal, thrown: unknown, json = false): number {
  const { cause: error, changes } =
    thrown instanceof HalfDoneError ? thrown : { cause: thrown, changes: undefined };
  if (error instanceof UsageError) {
    terminal.err(`pvusb: ${printable(error.message)}\n`);
    return USAGE_STATUS;
  }
  const known = error instanceof PvusbError ? error : new PvusbError('internal', tellFault(error));
  const { code, message, leftOver, where } = known;
  const remedy = remedyOf(known);
  if (json)
    terminal.out(`${printableJson({ error: { code, message, remedy, where, leftOver }, changes })}\n`);
  // The message may already say it.
  const more = leftOver.filter((sentence) => !message.includes(sentence));
  const lines = [`pvusb: ${message}`, ...more, `${remedy} (${code})`];
  terminal.err(lines.map((line) => `${printable(line)}\n`).join(''));
  if (known !== error) terminal.err(`${stackOf(error).split('\n').map(printable).join('\n')}\n`);
  return known.exitStatus;
}

function tellFault(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
