/** From the bytes of a file to text that the lexer accepts. */
import { type Position, XlCfgError } from './errors.js';

/** Longest file in bytes. */
export const SIZE_MAX = 1 << 20;

const NEWLINE = 0x0a;

/**
 * The text of a file. A byte order mark is kept: xl refuses it, and so does the lexer.
 *
 * @throws {XlCfgError} `too-long`; `not-utf8` at the first bad byte or, in a string, at the first lone half of a
 *   surrogate pair
 */
export function decodeText(untrustedText: string | Uint8Array): string {
  const length = typeof untrustedText === 'string' ? Buffer.byteLength(untrustedText) : untrustedText.length;
  if (length > SIZE_MAX) {
    throw new XlCfgError('too-long', { line: 1, column: 1 }, `The file has more than ${SIZE_MAX} bytes.`);
  }
  return typeof untrustedText === 'string' ? wellFormed(untrustedText) : decoded(untrustedText);
}

function wellFormed(untrustedText: string): string {
  const at = untrustedText.search(/\p{Surrogate}/u);
  if (at === -1) return untrustedText;
  const before = untrustedText.slice(0, at);
  const lineStart = before.lastIndexOf('\n') + 1;
  const position = {
    line: before.split('\n').length,
    column: 1 + characterCount(before, lineStart, at),
  };
  throw new XlCfgError('not-utf8', position, 'This is half a character: the text is not UTF-8.');
}

function decoded(untrustedBytes: Uint8Array): string {
  const text = decodedStrictly(untrustedBytes);
  if (text !== undefined) return text;
  throw new XlCfgError('not-utf8', firstBadByte(untrustedBytes), 'The file is not UTF-8 from here on.');
}

function decodedStrictly(untrustedBytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(untrustedBytes);
  } catch {
    return undefined;
  }
}

/** Where UTF-8 ends: in the first line that is not UTF-8, after the part of it that is. */
function firstBadByte(untrustedBytes: Uint8Array): Position {
  for (let line = 1, start = 0; ; line++) {
    const newline = untrustedBytes.indexOf(NEWLINE, start);
    const end = newline === -1 ? untrustedBytes.length : newline;
    const bytes = untrustedBytes.subarray(start, end);
    if (decodedStrictly(bytes) === undefined) return { line, column: 1 + goodCharacters(bytes) };
    start = end + 1;
  }
}

/** How many characters of a line that is not UTF-8 come before the first bad byte. */
function goodCharacters(untrustedLine: Uint8Array): number {
  // Every prefix of a good prefix is good, except one that ends within a character: decoding it as part of a stream,
  // which waits for the rest, tells them apart.
  let [good, bad] = [0, untrustedLine.length + 1];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isStartOfUtf8(untrustedLine.subarray(0, middle))) good = middle;
    else bad = middle;
  }
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const text = decoder.decode(untrustedLine.subarray(0, good), { stream: true });
  return characterCount(text, 0, text.length);
}

function isStartOfUtf8(untrustedBytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(untrustedBytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** The characters (not UTF-16 units) of a part of a well-formed text. */
export function characterCount(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at++) {
    // The second half of a pair is not a character of its own.
    if ((text.charCodeAt(at) & 0xfc00) !== 0xdc00) count++;
  }
  return count;
}
