/** A line of a file of rules, cut into words. */

/** A word: bare, or with a key: `auto`, `id=46f4:0001`. */
export interface Word {
  /** Absent for a bare word. */
  readonly key?: string;
  readonly value: string;
  /** Counts from 1, in characters. */
  readonly column: number;
}

/** The words of a line and where its comment begins, or what is wrong with it. */
type Line =
  | { readonly words: readonly Word[]; readonly end: number }
  | { readonly column: number; readonly message: string };

const BLANKS = /[ \t]+/y;
const KEY = /[a-z][a-z-]*=/y;
const BARE = /[^\s"\\#]+/y;
const QUOTED = /"((?:[^"\\]|\\["\\])*)"/y;
/** Control characters and what a terminal must not be sent; a tab is a blank. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u;

/** Cuts a line, without its newline, into words; a comment begins with `#`. */
export function cutLine(untrustedLine: string): Line {
  const words: Word[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(untrustedLine);
    if (found) at = pattern.lastIndex;
    return found;
  };
  const fault = (offset: number, message: string): Line => ({
    column: columnOf(untrustedLine, offset),
    message,
  });
  for (;;) {
    const isApart = match(BLANKS) !== null || words.length === 0;
    if (at === untrustedLine.length || untrustedLine[at] === '#')
      return { words, end: columnOf(untrustedLine, at) };
    if (!isApart) return fault(at, 'A space is missing before this.');
    const begin = at;
    const key = match(KEY)?.[0].slice(0, -1);
    const value = match(QUOTED)?.[1]?.replace(/\\(["\\])/g, '$1') ?? match(BARE)?.[0];
    if (value === undefined) {
      if (untrustedLine[at] === '"')
        return fault(
          at,
          'This text is not closed by " in its line, or has a \\ before something other than " or \\.',
        );
      return fault(at, key === undefined ? 'This is not a word.' : `${key}= needs a value.`);
    }
    const unsafe = UNSAFE.exec(value);
    if (unsafe) return fault(begin, 'This word has a control character in it.');
    words.push({ ...(key === undefined ? {} : { key }), value, column: columnOf(untrustedLine, begin) });
  }
}

function columnOf(line: string, offset: number): number {
  return [...line.slice(0, offset)].length + 1;
}

/** A value as it is written into a line: in quotation marks if it has to be. */
export function formatWord(value: string): string {
  return /^[^\s"\\#=]+$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}
