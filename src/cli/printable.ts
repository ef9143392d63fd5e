/** Keeps what others chose (arguments, files, xenstore, guests) from steering a terminal. */
import { printable, printableJsonText } from '../sysfs/index.js';

/** Longest word of a command line that is quoted in full. */
const WORD_MAX = 100;

/** A word that someone typed, in quotation marks; the middle of a very long one is left out. */
export function quoteWord(untrustedText: string): string {
  const characters = [...untrustedText];
  if (characters.length <= WORD_MAX) return `"${printable(untrustedText)}"`;
  const half = WORD_MAX / 2;
  const text = `${characters.slice(0, half).join('')}…${characters.slice(-half).join('')}`;
  return `"${printable(text)}"`;
}

/** The words that an option or argument takes, for a sentence: `viewer, operator or admin`. */
export function orWords(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** Data as JSON that is safe to print: unsafe characters are `\u` escapes, so that it still parses to the same value. */
export function printableJson(data: unknown): string {
  return printableJsonText(JSON.stringify(data, null, 2));
}

/** Data as JSON on one line that is safe to print: for one object per line. */
export function printableJsonLine(data: unknown): string {
  return printableJsonText(JSON.stringify(data));
}
