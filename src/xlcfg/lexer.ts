/** The tokens of an xl.cfg file (xl.cfg(5), SYNTAX), each with its position. */
import { characterCount } from './decode.js';
import { type Position, quoted, XlCfgError, type XlCfgErrorCode } from './errors.js';

/** What a token is; symbols stand for themselves, `end` is the end of the file. */
type TokenKind = 'name' | 'number' | 'string' | 'newline' | 'end' | '=' | '+=' | '[' | ']' | ',' | ';';

/** A token; `text` is as in the file, a string with its quotes and backslashes. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly position: Position;
}

// As in xl: a name has no capitals; a number is not checked until it is needed.
const NAME = /[a-z][_0-9a-z]*/y;
const NUMBER = /[0-9][0-9a-fx]*/y;
const SYMBOL = /\+=|[=[\],;]/y;
const NEWLINE = /\r?\n/y;

/**
 * Cuts a text into tokens, from first to last. Blanks and comments are not tokens; a comment ends before its newline.
 * Accepts what xl accepts and, beyond that, lines that end in CR LF and a comment in a last line without a newline.
 *
 * @returns a function that gives the next token, `end` again and again after the last; it throws
 *   {@link XlCfgError} `unexpected-character` or `unterminated-string`
 */
export function lexer(untrustedText: string): () => Token {
  let at = 0;
  let line = 1;
  let column = 1;

  const fail = (code: XlCfgErrorCode, offset: number, sentence: string): never => {
    throw new XlCfgError(
      code,
      { line, column: column + characterCount(untrustedText, at, offset) },
      sentence,
    );
  };

  const skipBlanksAndComment = (): void => {
    while (untrustedText[at] === ' ' || untrustedText[at] === '\t') {
      at++;
      column++;
    }
    if (untrustedText[at] !== '#') return;
    const newline = untrustedText.indexOf('\n', at);
    let end = newline === -1 ? untrustedText.length : newline;
    if (newline !== -1 && untrustedText[end - 1] === '\r') end--;
    column += characterCount(untrustedText, at, end);
    at = end;
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

  /** The index after the closing quote of the string that begins here. */
  const endOfString = (): number => {
    const quote = untrustedText[at];
    for (let end = at + 1; end < untrustedText.length; end++) {
      const character = untrustedText[end];
      if (character === quote) return end + 1;
      if (character === '\n') break;
      // For xl, which is written in C, the string would end here.
      if (character === '\0') fail('unexpected-character', end, 'A NUL is not allowed in a string.');
      if (character === '\\' && untrustedText[end + 1] !== '\n' && untrustedText[end + 1] !== '\0') end++;
    }
    return fail('unterminated-string', at, `This string is not closed by ${quote} before its line ends.`);
  };

  return () => {
    skipBlanksAndComment();
    if (at === untrustedText.length) return token('end', '');
    const newline = match(NEWLINE);
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
