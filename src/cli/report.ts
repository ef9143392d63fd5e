/** Tells a person why a command failed, and a script by its exit status. */
import { errorJson, HalfDoneError, remedyOf } from '../commands/index.js';
import { ERROR_KINDS, isPvusbError, PvusbError, type PvusbErrorCode } from '../pvusb/index.js';
import { printable } from '../sysfs/index.js';
import { printableJson } from './printable.js';
import type { Terminal } from './terminal.js';

/** Whether a command line asks for data. */
export function asksForJson(words: readonly string[]): boolean {
  return words.some((word) => /^--json(=libxl)?$/.test(word));
}

/** The error of an invalid command line; `words` is the command whose help has the valid ones. */
export function usageError(message: string, words: string, hint = ''): PvusbError {
  const remedy = [...(hint === '' ? [] : [hint]), `See "${words} --help".`].join(' ');
  return new PvusbError('invalid-argument', message, { remedy });
}

/** An argument that the operations refused, with where to read which ones are valid: the help of the command `words`. */
export function withHelp(error: unknown, words: string): unknown {
  if (!isPvusbError(error, 'invalid-argument') || error.remedy !== ERROR_KINDS['invalid-argument'].remedy)
    return error;
  const { message, where, cause } = error;
  return new PvusbError('invalid-argument', message, { where, cause, remedy: `See "${words} --help".` });
}

/**
 * Refuses what only works on the host itself, where a daemon was named: it would be about another host than was meant.
 *
 * @throws {PvusbError} `invalid-argument`
 */
export function requireHere({ daemon, env }: Terminal, words: string): void {
  if (daemon || env.PVUSB_HOST) throw notElsewhere(words);
}

/** The error of a command that no daemon does for somebody elsewhere; `words` is what was asked for. */
export function notElsewhere(words: string): PvusbError {
  const message = `"pvusb ${words}" works only on the host itself, but a daemon was named (--host or PVUSB_HOST).`;
  const remedy = 'Run it on that host, or without --host and PVUSB_HOST.';
  return new PvusbError('invalid-argument', message, { remedy });
}

/** Prints an error and gives the exit status; with `json`, as an object on standard output too, with what was done. */
export function reportError(terminal: Terminal, thrown: unknown, json = false): number {
  const { cause: error, changes } =
    thrown instanceof HalfDoneError ? thrown : { cause: thrown, changes: undefined };
  const known = error instanceof PvusbError ? error : new PvusbError('internal', tellFault(error));
  terminal.onError?.(known);
  const { code, message, leftOver } = known;
  if (json) terminal.out(`${printableJson(errorJson(known, changes))}\n`);
  // A message may tell of it already.
  const more = leftOver.filter((sentence) => !message.includes(sentence));
  const lines = [`pvusb: ${message}`, ...more, `${remedyOf(known)} (${code})`];
  terminal.err(lines.map((line) => `${printable(line)}\n`).join(''));
  if (known !== error) terminal.err(`${stackOf(error).split('\n').map(printable).join('\n')}\n`);
  return known.exitStatus;
}

/**
 * Tells of failures that did not stop the rest. The first one is the command's; with `json` all are in its output, and
 * this gives the exit status.
 *
 * @throws {PvusbError} the first
 */
export function tellFailures(
  terminal: Terminal,
  failures: readonly {
    readonly code: PvusbErrorCode;
    readonly message: string;
    readonly remedy: string;
  }[],
  { json }: { readonly json?: boolean | undefined },
): number {
  const [first, ...others] = failures.map(
    ({ code, message, remedy }) => new PvusbError(code, message, { remedy }),
  );
  if (json || !first) return first?.exitStatus ?? 0;
  for (const error of others)
    terminal.err(`pvusb: ${printable(error.message)}\n${printable(remedyOf(error))} (${error.code})\n`);
  throw first;
}

function tellFault(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
