/** What can be wrong with an xl.cfg file, and where. */

/** A place in a file: both count from 1, the column in characters; a tab is one. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A sentence, safe to print, about something that xl does not read, or reads differently. */
export interface XlCfgWarning extends Position {
  readonly message: string;
}

/** Called for the first thing in a file that xl does not read as it is meant. */
export type OnWarning = (warning: XlCfgWarning) => void;

/**
 * Kinds of errors.
 *
 * - the file: `too-long`
 * - its syntax: `unexpected-character`, `unterminated-string`, `unterminated-list`, `missing-name`,
 *   `missing-operator`, `missing-value`, `missing-comma`, `missing-end`, `append-mismatch`, `too-deep`
 * - a USB setting: `not-a-list`, `not-a-string`, `bad-escape`, `unknown-key`, `missing-key`, `bad-number`, `bad-type`
 * - what USB settings mean: `impossible-controller`, `port-without-controller`, `no-such-controller`,
 *   `no-such-port`, `port-taken`, `device-twice`
 */
export type XlCfgErrorCode =
  | 'too-long'
  | 'unexpected-character'
  | 'unterminated-string'
  | 'unterminated-list'
  | 'missing-name'
  | 'missing-operator'
  | 'missing-value'
  | 'missing-comma'
  | 'missing-end'
  | 'append-mismatch'
  | 'too-deep'
  | 'not-a-list'
  | 'not-a-string'
  | 'bad-escape'
  | 'unknown-key'
  | 'missing-key'
  | 'bad-number'
  | 'bad-type'
  | 'impossible-controller'
  | 'port-without-controller'
  | 'no-such-controller'
  | 'no-such-port'
  | 'port-taken'
  | 'device-twice';

/** The only error of this folder. Its message is one sentence that is safe to print, without the position. */
export class XlCfgError extends Error {
  override readonly name = 'XlCfgError';
  readonly code: XlCfgErrorCode;
  readonly line: number;
  readonly column: number;

  constructor(code: XlCfgErrorCode, { line, column }: Position, sentence: string) {
    super(sentence);
    this.code = code;
    this.line = line;
    this.column = column;
  }
}

/** What a sentence must not repeat unescaped: control, format and unassigned characters, line separators. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/gu;

/** Longest word that a sentence repeats, in characters. */
const WORD_MAX = 100;

/** A word from a file in quotation marks, safe to print; the middle of a very long one is left out. */
export function quoted(untrustedWord: string): string {
  const half = WORD_MAX / 2;
  const characters = [...untrustedWord];
  const short =
    characters.length <= WORD_MAX
      ? untrustedWord
      : `${characters.slice(0, half).join('')}…${characters.slice(-half).join('')}`;
  const safe = short.replace(UNSAFE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
  return `"${safe}"`;
}
