/** XAPI's usb-policy.conf: which devices may be passed to VMs. */

import type { RuleProblem } from '../../rule.js';
import { bytesOf, type ForeignFile, quoted, textOf, tooLong } from '../text.js';
import { SPACE, SPACES } from './space.js';

/** What a policy compares: of an interface `class`, `subclass`, `prot`; of its device `vid`, `pid`, `rel`. */
const KEYS = ['class', 'subclass', 'prot', 'vid', 'pid', 'rel'] as const;

/** One of them. */
export type Key = (typeof KEYS)[number];

/** One policy. It is about interfaces that have all of these values, in lower case; of several the first counts. */
export interface Policy {
  readonly isAllowed: boolean;
  readonly values: ReadonlyMap<Key, string>;
  /** Where its action and its keys are: columns, which count from 1, in characters. */
  readonly columns: ReadonlyMap<Key | 'action', number>;
}

/** A line of the file that is not blank. */
export interface PolicyLine {
  readonly line: number;
  readonly untrustedText: string;
  /** Absent for a comment. */
  readonly policy?: Policy;
}

/** What a file says. */
interface PolicyFile {
  readonly lines: readonly PolicyLine[];
  /** What cannot be read. */
  readonly problems: readonly RuleProblem[];
  /** What is read here, while XAPI stops at it and offers no new device, or versions of it do. */
  readonly warnings: readonly PolicyWarning[];
}

/** Something that not every XAPI reads. */
interface PolicyWarning extends RuleProblem {
  /** Today's XAPI does not read it either. */
  readonly isCurrent: boolean;
}

/** Reads a file. Lines end as in Python: a CR ends one too. */
export function parsePolicy(file: ForeignFile): PolicyFile {
  const { path } = file;
  const lines: PolicyLine[] = [];
  const problems: RuleProblem[] = [];
  const warnings: PolicyWarning[] = [];
  const long = tooLong(file);
  if (long) return { lines, problems: [long], warnings };
  const bytes = bytesOf(file.untrustedContent);
  const text = textOf(bytes);
  const warn = (line: number, column: number, message: string, isCurrent = true): void => {
    warnings.push({ file: path, line, column, message, isCurrent });
  };
  if (text.startsWith('\ufeff'))
    warn(1, 1, 'XAPI does not read this file: it begins with a byte order mark.');
  const all = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/);
  // What follows the last newline is no line.
  if (all.at(-1) === '') all.pop();
  if (bytesOf(text) !== bytes) warn(1, 1, 'XAPI does not read this file: it is not UTF-8.');
  for (const [index, untrustedText] of all.entries()) {
    const line = index + 1;
    const read = parsePolicyLine(untrustedText);
    if ('message' in read) {
      const column = columnOf(untrustedText, read.offset);
      problems.push({ file: path, line, column, message: read.message });
      continue;
    }
    if (read.warning === 'blank')
      warn(line, 1, 'XAPI before 25.29 does not read a file with empty lines.', false);
    if (read.warning === 'comment') {
      const column = columnOf(untrustedText, untrustedText.indexOf('#'));
      warn(
        line,
        column,
        'XAPI does not read this file: a comment that has a line to itself begins in its first column.',
      );
    }
    if (read.warning === 'blank') continue;
    lines.push({ line, untrustedText, ...(read.policy ? { policy: read.policy } : {}) });
  }
  return { lines, problems, warnings };
}

type ReadLine =
  | { readonly policy?: Policy; readonly warning?: 'blank' | 'comment' }
  | { readonly offset: number; readonly message: string };

const ACTION = new RegExp(`^${SPACES}(?:(allow|deny)${SPACES})?`, 'i');
/** No space is needed between two: a value ends at the first character that is no digit. */
const VALUE = new RegExp(`${SPACES}(${KEYS.join('|')})${SPACES}=${SPACES}([0-9a-f]+)`, 'iy');

function parsePolicyLine(untrustedText: string): ReadLine {
  const comment = untrustedText.indexOf('#');
  if (comment === 0) return {};
  const text = comment === -1 ? untrustedText : untrustedText.slice(0, comment);
  let end = text.length;
  while (end > 0 && SPACE.test(text[end - 1]!)) end--;
  if (end === 0 && comment === -1) return { warning: 'blank' };
  if (end === 0) return { warning: 'comment' };
  const begin = ACTION.exec(text)!;
  const offset = begin[0].length;
  if (begin[1] === undefined) return { offset, message: 'A policy begins with ALLOW or DENY.' };
  if (text[offset] !== ':') return { offset, message: `After ${begin[1]} comes a colon.` };
  const other = text.indexOf(':', offset + 1);
  if (other !== -1) return { offset: other, message: 'A policy has only one colon.' };
  const values = new Map<Key, string>();
  const columns = new Map<Key | 'action', number>();
  columns.set('action', columnOf(text, new RegExp(`^${SPACES}`).exec(text)![0].length));
  for (let at = offset + 1; at < end; at = VALUE.lastIndex) {
    VALUE.lastIndex = at;
    const found = VALUE.exec(text);
    const word = at + new RegExp(`^${SPACES}`).exec(text.slice(at))![0].length;
    if (!found) {
      const told = quoted(text.slice(word, end).split(SPACE)[0]!);
      const message = `${told} is none of ${KEYS.map((key) => `${key}=`).join(', ')} with hexadecimal digits.`;
      return { offset: word, message };
    }
    const [, name, value] = found;
    const key = name!.toLowerCase() as Key;
    const digits = key === 'vid' || key === 'pid' || key === 'rel' ? 4 : 2;
    if (value!.length !== digits)
      return { offset: word, message: `${key} has ${digits} hexadecimal digits.` };
    if (values.has(key)) return { offset: word, message: `${key} is given twice.` };
    values.set(key, value!.toLowerCase());
    columns.set(key, columnOf(text, word));
  }
  return { policy: { isAllowed: begin[1].toLowerCase() === 'allow', values, columns } };
}

function columnOf(text: string, offset: number): number {
  return [...text.slice(0, offset)].length + 1;
}
