/** Tells a person why a command failed, and a script by its exit status. */
import { errorJson, HalfDoneError, remedyOf } from '../commands/index.js';
import { PvusbError } from '../pvusb/index.js';
import { printable } from '../sysfs/index.js';
import { printableJson } from './printable.js';
import type { Terminal } from './terminal.js';

/** The error of an invalid command line; `words` is the command whose help has the valid ones. */
export function usageError(message: string, words: string, hint = ''): PvusbError {
  const remedy = [...(hint === '' ? [] : [hint]), `See "${words} --help".`].join(' ');
  return new PvusbError('invalid-argument', message, { remedy });
}

/** Prints an error and gives the exit status; with `json`, as an object on standard output too, with what was done. */
export function reportError(terminal: Terminal, thrown: unknown, json = false): number {
  const { cause: error, changes } =
    thrown instanceof HalfDoneError ? thrown : { cause: thrown, changes: undefined };
  const known = error instanceof PvusbError ? error : new PvusbError('internal', tellFault(error));
  const { code, message, leftOver } = known;
  if (json) terminal.out(`${printableJson(errorJson(known, changes))}\n`);
  // A message may tell of it already.
  const more = leftOver.filter((sentence) => !message.includes(sentence));
  const lines = [`pvusb: ${message}`, ...more, `${remedyOf(known)} (${code})`];
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
