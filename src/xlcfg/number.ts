/** Numbers of a SPEC. */
import { quoted } from './errors.js';
import type { SpecValue } from './spec.js';

/** Which numbers a key accepts. */
interface NumberRule {
  readonly min: number;
  readonly max: number;
  /** True: xl reads a number with a leading zero as octal. */
  readonly isOctalToXl: boolean;
}

/**
 * Reads a number: decimal, or hex after 0x, with blanks around it, as xl's strtoul and atoi accept them. What those
 * misread is refused: a leading zero, and anything after the number.
 *
 * @throws {XlCfgError} `bad-number`, also when it is out of range
 */
export function readNumber(key: string, value: SpecValue, rule: NumberRule): number {
  const text = withoutBlanks(value.untrustedText);
  const refuse = (why: string): never => value.refuse('bad-number', `${key}=${quoted(text)} ${why}.`);
  if (/^0\d+$/.test(text)) {
    const or = rule.isOctalToXl ? ' or, as xl reads it,' : ' or';
    const octal = /^0[0-7]+$/.test(text) ? `${or} octal ${Number.parseInt(text, 8)}` : '';
    const meaning = text.length > 10 ? '' : `, which might mean decimal ${Number(text)}${octal}`;
    return refuse(`has a leading zero${meaning}: write it without`);
  }
  if (!/^(\d+|0[xX][0-9a-fA-F]+)$/.test(text)) return refuse('is not a number');
  const number = Number(text);
  if (number < rule.min || number > rule.max) return refuse(`is not between ${rule.min} and ${rule.max}`);
  return number;
}

/** By hand: a pattern for blanks at the end takes quadratic time if there are blanks in the middle. */
function withoutBlanks(text: string): string {
  const isBlank = (at: number): boolean => text[at] === ' ' || text[at] === '\t';
  let [from, to] = [0, text.length];
  while (from < to && isBlank(from)) from++;
  while (to > from && isBlank(to - 1)) to--;
  return text.slice(from, to);
}
