/** Files of other programs: bytes, positions, words that are repeated in sentences. */
import { printable } from '../../sysfs/text.js';
import type { RuleProblem } from '../rule.js';

/** A file of another program, as read. */
export interface ForeignFile {
  readonly path: string;
  readonly untrustedContent: string | Uint8Array;
}

/** Longest file that is read, in bytes or characters: far above what anyone writes. */
const SIZE_MAX = 1_000_000;

/** The problem of a file that is longer. */
export function tooLong({ path, untrustedContent }: ForeignFile): RuleProblem | undefined {
  if (untrustedContent.length <= SIZE_MAX) return undefined;
  return { file: path, line: 1, column: 1, message: `The file has more than ${SIZE_MAX} bytes.` };
}

/** Bytes, each of which is a character, so that they are compared as other programs do. */
export function bytesOf(content: string | Uint8Array): string {
  return Buffer.from(content as Uint8Array).toString('latin1');
}

/** What such bytes say; bytes that are not UTF-8 become U+FFFD. */
export function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** How many characters there are in bytes. */
export function charactersIn(bytes: string): number {
  return [...textOf(bytes)].length;
}

/** Longest word that a sentence repeats, in characters. */
const WORD_MAX = 40;

/** A word in quotation marks, cut and safe to print. */
export function quoted(untrustedText: string): string {
  const characters = [...untrustedText];
  const isLong = characters.length > WORD_MAX;
  return `"${printable(isLong ? `${characters.slice(0, WORD_MAX).join('')}…` : untrustedText)}"`;
}

/** The first word of bytes, in the same way. */
export function quotedBytes(untrustedBytes: string): string {
  const [word] = /^[ \t]*[^ \t]*/.exec(untrustedBytes)!;
  return quoted(textOf(word));
}
