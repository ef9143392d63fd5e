/** The tokens of an xl.cfg file (xl.cfg(5), SYNTAX), each with its position. */
import { characterCount } from './decode.js';
import { type OnWarning, type Position, quoted, XlCfgError, type XlCfgErrorCode } from './errors.js';
import { ESCAPES } from './escapes.js';

/** What a token is; symbols stand for themselves, `end` is the end of the file. */
type TokenKind = 'name' | 'number' | 'string' | 'newline' | 'end' | '=' | '+=' | '[' | ']' | ',' | ';';

/** A token; `text` is as in the file, a string with its quotes and backslashes. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly position: Position;
}

// As in xl: a name has no capitals; a number is not checked until it is needed.
const NAME = /[a-z][._0-9a-z]*/y;
const NUMBER = /[0-9][0-9a-fx]*/y;
const SYMBOL = /\+=|[=[\],;]/y;
const NEWLINE = /\r?\n/y;

/** An octal character: xl accepts it and drops it. */
const OCTAL = /[0-7]{3}/y;

/**
 * Cuts a text into tokens, from first to last. Blanks and comments are not tokens; a comment ends before its newline.
 * Accepts what xl accepts and, beyond that, lines that end in CR LF, a comment in a last line without a newline, and
 * escapes that xl does not know, in strings that nobody asks for: there is a warning about the first of these.
 *
 * @returns a function that gives the next token, `end` again and again after the last; it throws
 *   {@link XlCfgError} `unexpected-character` or `unterminated-string`
 */
export function lexer(untrustedText: string, onWarning?: OnWarning): () => Token {
  let at = 0;
  let line = 1;
  let column = 1;
  let hasWarned = onWarning === undefined;

  const place = (offset: number): Position => {
    return { line, column: column + characterCount(untrustedText, at, offset) };
  };

  const warn = (offset: number, message: string): void => {
    if (!hasWarned) onWarning?.({ ...place(offset), message });
    hasWarned = true;
  };

  const fail = (code: XlCfgErrorCode, offset: number, sentence: string): never => {
    throw new XlCfgError(code, place(offset), sentence);
  };

  /** Returns whether there was a comment. */
  const skipBlanksAndComment = (): boolean => {
    while (untrustedText[at] === ' ' || untrustedText[at] === '\t') {
      at++;
      column++;
    }
    if (untrustedText[at] !== '#') return false;
    const newline = untrustedText.indexOf('\n', at);
    if (newline === -1 && at + 1 < untrustedText.length) {
      warn(at, 'xl does not read this file: no newline ends the comment in its last line.');
    }
    let end = newline === -1 ? untrustedText.length : newline;
    if (newline !== -1 && untrustedText[end - 1] === '\r') end--;
    column += characterCount(untrustedText, at, end);
    at = end;
    return true;
  };

  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(untrustedText)?.[0];
  };

  const token = (kind: TokenKind, text: string): Token => {
    const position = { line, column };
    at += text.length;
    if (kind === 'newline') {
      line++;
      column = 1;
    } else {
      column += characterCount(text, 0, text.length);
    }
    return { kind, text, position };
  };

  const warnOfEscape = (backslash: number): void => {
    OCTAL.lastIndex = backslash + 1;
    const octal = OCTAL.exec(untrustedText)?.[0];
    const written = quoted(`\\${octal ?? String.fromCodePoint(untrustedText.codePointAt(backslash + 1)!)}`);
    const unread = `xl does not read this file: there is no escape ${written}.`;
    warn(backslash, octal ? `xl loses the escape ${written}: write the character itself.` : unread);
  };

  /** The index after the closing quote of the string that begins here. */
  const endOfString = (): number => {
    const quote = untrustedText[at];
    for (let end = at + 1; end < untrustedText.length; end++) {
      const character = untrustedText[end];
      if (character === quote) return end + 1;
      if (character === '\n') break;
      // For xl, which is written in C, the string would end here.
      if (character === '\0') fail('unexpected-character', end, 'A NUL is not allowed in a string.');
      const escaped = untrustedText[end + 1];
      if (character !== '\\' || escaped === undefined || escaped === '\n' || escaped === '\0') continue;
      if (!hasWarned && !ESCAPES.has(escaped)) warnOfEscape(end);
      end++;
    }
    return fail('unterminated-string', at, `This string is not closed by ${quote} before its line ends.`);
  };

  return () => {
    const isAfterComment = skipBlanksAndComment();
    if (at === untrustedText.length) return token('end', '');
    const newline = match(NEWLINE);
    // For xl a CR before the newline is part of the comment.
    if (newline === '\r\n' && !isAfterComment)
      warn(at, 'xl does not read this file: its lines end in CR LF.');
    if (newline !== undefined) return token('newline', newline);
    const symbol = match(SYMBOL);
    if (symbol !== undefined) return token(symbol as TokenKind, symbol);
    const name = match(NAME);
    if (name !== undefined) return token('name', name);
    const number = match(NUMBER);
    if (number !== undefined) return token('number', number);
    if (untrustedText[at] === '"' || untrustedText[at] === "'") {
      return token('string', untrustedText.slice(at, endOfString()));
    }
    const character = String.fromCodePoint(untrustedText.codePointAt(at)!);
    return fail('unexpected-character', at, `${quoted(character)} is not allowed outside a string.`);
  };
}
