/** Numbers of a SPEC, of files and of command lines. */
import { quoted } from './errors.js';
import type { SpecValue } from './spec.js';

/** Which numbers a key accepts. */
export interface NumberRule {
  readonly min: number;
  readonly max: number;
  /** True: xl reads a number with a leading zero as octal. Everywhere else it means nothing. */
  readonly isOctalToXl?: boolean;
}

/** What {@link parseNumber} says about a text that is not a number. */
export const NOT_A_NUMBER = 'is not a number';

/**
 * The number that a text stands for: decimal, or hex after 0x. Leading zeros are accepted (lsusb prints them) unless xl
 * would read a different number from what people mean: it reads 010 as 8, but 007 as 7.
 *
 * @returns the number, or why there is none: the rest of a sentence, `is not a number`
 */
export function parseNumber(text: string, { min, max, isOctalToXl = false }: NumberRule): number | string {
  if (isOctalToXl && /^0+\d/.test(text) && !/^0+[0-7]?$/.test(text)) {
    const octal = /^0[0-7]+$/.test(text) ? ` or, as xl reads it, octal ${Number.parseInt(text, 8)}` : '';
    const meaning = text.length > 10 ? '' : `, which might mean decimal ${Number(text)}${octal}`;
    return `has a leading zero${meaning}: write it without`;
  }
  if (!/^(\d+|0[xX][0-9a-fA-F]+)$/.test(text)) return NOT_A_NUMBER;
  const number = Number(text);
  return number < min || number > max ? `is not between ${min} and ${max}` : number;
}

/** Whether a text stands for 0, however it is written. */
export function isZero(text: string): boolean {
  return parseNumber(text, { min: 0, max: 0 }) === 0;
}

/**
 * Reads a number with blanks around it, as xl's strtoul and atoi accept them. What those misread is refused: a leading
 * zero that changes the number, and anything after the number.
 *
 * @throws {XlCfgError} `bad-number`, also when it is out of range
 */
export function readNumber(key: string, value: SpecValue, rule: NumberRule): number {
  const text = withoutBlanks(value.untrustedText);
  const number = parseNumber(text, rule);
  return typeof number === 'number'
    ? number
    : value.refuse('bad-number', `${key}=${quoted(text)} ${number}.`);
}

/** Reads a number; 0 gives undefined: any will do. */
export function readChoice(key: string, value: SpecValue, rule: NumberRule): number | undefined {
  return isZero(withoutBlanks(value.untrustedText)) ? undefined : readNumber(key, value, rule);
}

/** By hand: a pattern for blanks at the end takes quadratic time if there are blanks in the middle. */
function withoutBlanks(text: string): string {
  const isBlank = (at: number): boolean => text[at] === ' ' || text[at] === '\t';
  let [from, to] = [0, text.length];
  while (from < to && isBlank(from)) from++;
  while (to > from && isBlank(to - 1)) to--;
  return text.slice(from, to);
}
