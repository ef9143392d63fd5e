/**
 * JSON by positions: where values, members and elements are in a text, which is never taken apart.
 *
 * A configuration holds 64-bit integers, which JSON.parse rounds; so what is not ours is looked at only to find where
 * it ends. Grammar: RFC 8259. Nesting costs no stack, so its depth does not matter.
 */
import { LibxlError } from './errors.js';

/** A piece of a text: from `start` up to, but not including, `end`. In characters (UTF-16 units). */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A member of an object. Its own span goes from the key's quote to the value's end. */
export interface Member extends Span {
  /** The key, unescaped. */
  readonly key: string;
  readonly value: Span;
}

/** An object's members, or an array's elements, and the span of the whole. */
export interface Container<Item extends Span> extends Span {
  readonly items: readonly Item[];
}

const WHITESPACE = /[ \t\n\r]*/y;
// One run at a time: a group repeated per character overflows the stack for long strings.
const PLAIN_RUN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const LITERAL = /(?:true|false|null)(?![A-Za-z0-9])/y;

/** The error for a place in a text, given as line and column. */
export function malformedAt(text: string, at: number, detail: string): LibxlError {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const column = at - before.lastIndexOf('\n');
  return new LibxlError('malformed', `line ${line}, column ${column}: ${detail}`, { line, column });
}

/** Where the match of `pattern` (sticky) at a place ends; undefined when it does not match there. */
function endOfMatch(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

/** The position of the first character from `at` on that is not white space. */
export function skipSpace(text: string, at: number): number {
  return endOfMatch(WHITESPACE, text, at) ?? at;
}

function unexpected(text: string, at: number, wanted: string): LibxlError {
  if (at >= text.length) return malformedAt(text, at, `the text ends where ${wanted} must be`);
  const code = text.codePointAt(at)!;
  // Characters that would be invisible, or would reverse a line on a terminal, are shown by number.
  const isPlain = code > 0x20 && code < 0x7f;
  const found = isPlain
    ? String.fromCodePoint(code)
    : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  return malformedAt(text, at, `${wanted} must be here, not ${found}`);
}

function endOfString(text: string, start: number, wanted: string): number {
  if (text[start] !== '"') throw unexpected(text, start, wanted);
  for (let at = start + 1; ; ) {
    at = endOfMatch(PLAIN_RUN, text, at) ?? at;
    if (text[at] === '"') return at + 1;
    const next = endOfMatch(ESCAPE, text, at);
    if (next === undefined) throw unexpected(text, at, 'a character or the end of a string');
    at = next;
  }
}

function endOfScalar(text: string, at: number): number {
  if (text[at] === '"') return endOfString(text, at, 'a string');
  const end = endOfMatch(NUMBER, text, at) ?? endOfMatch(LITERAL, text, at);
  if (end === undefined) throw unexpected(text, at, 'a value');
  return end;
}

/** The position of the value of the member whose key begins at `at`. */
function valueOfKey(text: string, at: number): number {
  const colon = skipSpace(text, endOfString(text, at, 'a key'));
  if (text[colon] !== ':') throw unexpected(text, colon, 'a colon');
  return skipSpace(text, colon + 1);
}

/**
 * Where the value that begins at `start` ends.
 *
 * @throws {LibxlError} `malformed`
 */
function endOfValue(text: string, start: number): number {
  /** The brackets that must still be closed, outermost first. */
  const closing: ('}' | ']')[] = [];
  for (let at = start; ; ) {
    const closer = text[at] === '{' ? '}' : text[at] === '[' ? ']' : undefined;
    if (closer) {
      at = skipSpace(text, at + 1);
      if (text[at] !== closer) {
        closing.push(closer);
        if (closer === '}') at = valueOfKey(text, at);
        continue;
      }
      at++;
    } else {
      at = endOfScalar(text, at);
    }
    for (;;) {
      const due = closing.at(-1);
      if (!due) return at;
      at = skipSpace(text, at);
      if (text[at] === ',') break;
      if (text[at] !== due) throw unexpected(text, at, `a comma or ${due}`);
      closing.pop();
      at++;
    }
    at = skipSpace(text, at + 1);
    if (closing.at(-1) === '}') at = valueOfKey(text, at);
  }
}

/** Walks a container's items; `read` reads one and returns where it ends. */
function containerAt<Item extends Span>(
  text: string,
  start: number,
  [opener, closer, what]: readonly [string, string, string],
  read: (at: number) => Item,
): Container<Item> {
  if (text[start] !== opener) throw unexpected(text, start, what);
  const items: Item[] = [];
  let at = skipSpace(text, start + 1);
  if (text[at] === closer) return { start, end: at + 1, items };
  for (;;) {
    const item = read(at);
    items.push(item);
    at = skipSpace(text, item.end);
    if (text[at] === closer) return { start, end: at + 1, items };
    if (text[at] !== ',') throw unexpected(text, at, `a comma or ${closer}`);
    at = skipSpace(text, at + 1);
  }
}

/**
 * The members of the object that begins at `start`, in order, each key as often as it occurs.
 *
 * @throws {LibxlError} `malformed`, also when another value begins there
 */
export function objectAt(text: string, start: number): Container<Member> {
  return containerAt(text, start, ['{', '}', 'an object'], (at) => {
    const valueStart = valueOfKey(text, at);
    const end = endOfValue(text, valueStart);
    const key = stringOf(text, { start: at, end: endOfString(text, at, 'a key') });
    return { start: at, end, key, value: { start: valueStart, end } };
  });
}

/**
 * The elements of the array that begins at `start`.
 *
 * @throws {LibxlError} `malformed`, also when another value begins there
 */
export function arrayAt(text: string, start: number): Container<Span> {
  return containerAt(text, start, ['[', ']', 'an array'], (at) => ({ start: at, end: endOfValue(text, at) }));
}

/**
 * The string in a span, unescaped.
 *
 * @throws {LibxlError} `malformed` when another value is there
 */
export function stringOf(text: string, { start, end }: Span): string {
  if (text[start] !== '"') throw unexpected(text, start, 'a string');
  return JSON.parse(text.slice(start, end));
}

/**
 * The integer in a span, from `least` to `most`.
 *
 * @throws {LibxlError} `malformed` when another value is there
 */
export function integerOf(text: string, { start, end }: Span, least: number, most: number): number {
  const written = text.slice(start, end);
  const value = /^-?[0-9]+$/.test(written) ? Number(written) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw malformedAt(text, start, `an integer from ${least} to ${most} must be here`);
}
