/** Tells a person why a command failed, and a script by its exit status. */
import { PvusbError } from '../pvusb/errors.js';
import type { Terminal } from './terminal.js';

/** A command line that makes no sense: exit status 2, with a hint where help is. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Exit status of a wrong command line. */
export const USAGE_STATUS = 2;

/** Prints an error and gives the exit status; with `json`, as an object on standard output. */
export function reportError(terminal: Terminal, error: unknown, json = false): number {
  if (error instanceof UsageError) {
    terminal.err(`pvusb: ${error.message}\n`);
    return USAGE_STATUS;
  }
  if (!(error instanceof PvusbError)) {
    const told = error instanceof Error ? error.message : String(error);
    terminal.err(`pvusb: ${told}\nThis is a fault of pvusb: please report it, with:\n${stackOf(error)}\n`);
    return 5;
  }
  const { code, message, remedy, leftOver, where } = error;
  if (json)
    terminal.out(`${JSON.stringify({ error: { code, message, remedy, where, leftOver } }, null, 2)}\n`);
  terminal.err(`pvusb: ${message}\n${remedy} (${code})\n`);
  return error.exitStatus;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
