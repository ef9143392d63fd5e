/** From the bytes of a file to text that the lexer accepts. */
import { XlCfgError } from './errors.js';

/** Longest file in bytes. */
export const SIZE_MAX = 1 << 20;

/**
 * The text of a file. xl looks at bytes and requires no encoding: what is not UTF-8 (a comment in ISO 8859-1) becomes
 * U+FFFD, as it does in what is read from xenstore, so that names can be compared. A byte order mark is kept: xl
 * refuses it, and so does the lexer.
 *
 * @throws {XlCfgError} `too-long`
 */
export function decodeText(untrustedText: string | Uint8Array): string {
  const length = typeof untrustedText === 'string' ? Buffer.byteLength(untrustedText) : untrustedText.length;
  if (length > SIZE_MAX) {
    throw new XlCfgError('too-long', { line: 1, column: 1 }, `The file has more than ${SIZE_MAX} bytes.`);
  }
  if (typeof untrustedText === 'string') return untrustedText;
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(untrustedText);
}

/** The characters (not UTF-16 units) of a part of a text. */
export function characterCount(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at++) {
    // The second half of a pair is not a character of its own.
    if ((text.charCodeAt(at) & 0xfc00) !== 0xdc00) count++;
  }
  return count;
}
