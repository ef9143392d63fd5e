/** `pvusb import`: rules made of another program's file. */

import {
  formatImported,
  IMPORT_FORMATS,
  type ImportedFile,
  type ImportFormat,
  importFile,
  isGuestName,
} from '../../rules/imports/index.js';
import { printable } from '../../sysfs/index.js';
import { printJson } from '../context.js';
import { orWords, quoteWord } from '../printable.js';
import { usageError } from '../report.js';
import { readBytes } from '../settings-file.js';
import type { Terminal } from '../terminal.js';

/** Options of the command. */
export interface ImportCommandOptions {
  readonly guest?: string;
  readonly mode?: string;
  readonly json?: boolean;
}

/** Prints the rules, and on standard error what could not be said in rules. Gives the exit status. */
export async function runImport(
  terminal: Terminal,
  args: { readonly format: string; readonly file: string },
  options: ImportCommandOptions,
): Promise<number> {
  const format = parseFormat(args.format);
  const { guest } = options;
  if (guest !== undefined && !isGuestName(guest))
    throw usageError(`--guest takes the name or uuid of a guest, not ${quoteWord(guest)}.`, 'pvusb import');
  const mode = parseMode(options);
  const file = { path: args.file, untrustedContent: await readBytes(args.file) };
  const imported = importFile(format, file, { guest, mode });
  if (options.json) printJson(terminal, imported);
  else if (imported.problems.length === 0) terminal.out(formatImported(format, args.file, imported));
  for (const sentence of sentencesOf(imported)) terminal.err(`pvusb: ${sentence}\n`);
  const isComplete = imported.reports.every(({ isExpressed }) => isExpressed);
  return isComplete && imported.problems.length === 0 ? 0 : 1;
}

function sentencesOf({ problems, warnings, reports }: ImportedFile): string[] {
  const all = [...problems, ...warnings, ...reports];
  const said = all
    .sort((one, other) => one.line - other.line || one.column - other.column)
    .map(({ file, line, column, message }) => `${printable(file)}:${line}:${column}: ${message}`);
  const none =
    problems.length > 0 ? ['No rules were made: a file that the other program rejects is not in force.'] : [];
  return [...said, ...none];
}

function parseFormat(word: string): ImportFormat {
  const format = IMPORT_FORMATS.find((one) => one === word);
  if (format) return format;
  throw usageError(`import takes ${orWords(IMPORT_FORMATS)}, not ${quoteWord(word)}.`, 'pvusb import');
}

function parseMode({ mode, guest }: ImportCommandOptions): 'auto' | 'ask' {
  if (mode !== undefined && mode !== 'auto' && mode !== 'ask')
    throw usageError(`--mode is auto or ask, not ${quoteWord(mode)}.`, 'pvusb import');
  if (mode !== undefined && guest === undefined)
    throw usageError('--mode needs a guest: name it with --guest.', 'pvusb import');
  return mode ?? 'ask';
}
