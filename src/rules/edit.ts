/** Changes the text of a file of rules and leaves everything else in it as it is: comments, order, blanks. */
import { linesOf } from './parse.js';

/** What a new file begins with. */
const HEADING = `# Which guest gets which USB device: one rule a line (docs/rules.md of pvusb). Changed by people and by
# "pvusb assign" and "pvusb unassign"; "pvusb check" finds mistakes, "pvusb explain DEVICE" says what applies.
`;

/** The text with a rule, as {@link formatRule} writes it, in a new last line. */
export function withRule(text: string, line: string): string {
  if (text === '') return `${HEADING}\n${line}\n`;
  const newline = /\r\n/.test(text) ? '\r\n' : '\n';
  return `${text}${/\n$/.test(text) ? '' : newline}${line}${newline}`;
}

/**
 * The text without a line, which counts from 1; undefined when that line does not read `expected` any more: somebody
 * else has changed the file.
 */
export function withoutLine(text: string, line: number, expected: string): string | undefined {
  if (linesOf(text)[line - 1] !== expected) return undefined;
  const lines = text.split('\n');
  if (line === lines.length && line > 1) return text.slice(0, text.length - lines[line - 1]!.length);
  const mark = line === 1 && text.startsWith('\ufeff') ? '\ufeff' : '';
  return mark + lines.filter((_, index) => index !== line - 1).join('\n');
}
