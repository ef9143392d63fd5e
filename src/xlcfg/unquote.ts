/** The text that a string in a file stands for. */
import { characterCount } from './decode.js';
import { type Position, quoted, XlCfgError } from './errors.js';
import { ESCAPES } from './escapes.js';
import type { XlCfgAtom } from './parser.js';

/** The text of a string, and where in the file each of its characters comes from. */
export interface Unquoted {
  readonly untrustedText: string;
  /** The position in the file of the unit at `index`, or of the end if that is the length. Takes linear time. */
  positionAt(index: number): Position;
}

/**
 * Removes the quotes and backslashes of a string. A number is its own text.
 *
 * @throws {XlCfgError} `bad-escape` for numbers (`\x41`, `\101`) and unknown letters after a backslash: xl skips them,
 *   so what they stand for is lost
 */
export function unquote({ kind, untrustedText, position }: XlCfgAtom): Unquoted {
  const offset = kind === 'string' ? 1 : 0;
  const inner = untrustedText.slice(offset, untrustedText.length - offset);
  /** Where in the result a character stands for two in the file. */
  const escapes: number[] = [];
  const positionAt = (index: number): Position => {
    const before = escapes.filter((escaped) => escaped < index).length;
    const column = position.column + offset + characterCount(inner, 0, index + before);
    return { line: position.line, column };
  };
  let text = '';
  let from = 0;
  for (let at = inner.indexOf('\\'); at !== -1; at = inner.indexOf('\\', from)) {
    text += inner.slice(from, at);
    const meant = ESCAPES.get(inner[at + 1]!);
    if (meant === undefined) {
      const written = `\\${String.fromCodePoint(inner.codePointAt(at + 1)!)}`;
      const sentence = `xl does not keep the escape ${quoted(written)}: write the character itself.`;
      throw new XlCfgError('bad-escape', positionAt(text.length), sentence);
    }
    escapes.push(text.length);
    text += meant;
    from = at + 2;
  }
  return { untrustedText: text + inner.slice(from), positionAt };
}
