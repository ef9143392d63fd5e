/** Files of other programs as files of our rules. */
import { printable } from '../../sysfs/text.js';
import { formatWord } from '../lexer.js';
import { parseRules } from '../parse.js';
import { EVERY_GUEST, type RuleProblem } from '../rule.js';
import { convert, type Imported, type ImportOptions } from './convert.js';
import type { ForeignLine } from './statement.js';
import type { ForeignFile } from './text.js';
import { readUsbGuardLine } from './usbguard/convert.js';
import { parseUsbGuard } from './usbguard/parse.js';
import { readPolicyLine } from './xapi/convert.js';
import { parsePolicy } from './xapi/parse.js';

/** The formats that are known. */
export const IMPORT_FORMATS = ['usbguard', 'xapi'] as const;

/** One of them. */
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/** What was made of a file. */
export interface ImportedFile extends Imported {
  /** What cannot be read: then there are no rules at all, as the other program would not use the file either. */
  readonly problems: readonly RuleProblem[];
  /** What the other program does not read, and was read here. */
  readonly warnings: readonly RuleProblem[];
}

/** More lines than anyone writes: each is compared with those before it. */
const LINES_MAX = 2_000;

/** Reads a file of another program and makes rules of it. */
export function importFile(format: ImportFormat, file: ForeignFile, options: ImportOptions): ImportedFile {
  const { count, lines, problems, warnings } = READERS[format](file);
  const message = `The file has more than ${LINES_MAX} lines that are not empty.`;
  const isLong = problems.length === 0 && count > LINES_MAX;
  const all = isLong ? [{ file: file.path, line: 1, column: 1, message }] : problems;
  const reading = { path: file.path, isPerInterface: format === 'xapi' };
  return { ...convert(all.length > 0 ? [] : lines(), reading, options), problems: all, warnings };
}

/** What a file says, and what is wrong with it. */
interface ReadFile {
  readonly count: number;
  lines(): readonly ForeignLine[];
  readonly problems: readonly RuleProblem[];
  readonly warnings: readonly RuleProblem[];
}

const READERS: Readonly<Record<ImportFormat, (file: ForeignFile) => ReadFile>> = {
  usbguard(file) {
    const { lines, problems } = parseUsbGuard(file);
    return { count: lines.length, lines: () => lines.map(readUsbGuardLine), problems, warnings: [] };
  },
  xapi(file) {
    const { lines, problems, warnings } = parsePolicy(file);
    return { count: lines.length, lines: () => lines.map(readPolicyLine), problems, warnings };
  },
};

/** Whether rules can be for a guest of this name or uuid. */
export function isGuestName(word: string): boolean {
  const { rules } = parseRules([{ path: '', text: `deny ${formatWord(word)}` }]);
  return rules.length === 1 && word !== EVERY_GUEST;
}

/** What is to be known about every file of a format. */
const HEADERS: Readonly<Record<ImportFormat, readonly string[]>> = {
  usbguard: [
    "USBGuard's allow lets the host use a device; it names no guest. A device that USBGuard blocks has no",
    'interfaces and cannot be lent with type pv until USBGuard allows it.',
  ],
  xapi: ["XAPI's ALLOW lets a VM have a device; it names no guest."],
};

/** The rules as a file of rules: each after the line that it was made of. */
export function formatImported(format: ImportFormat, path: string, { lines }: Imported): string {
  const comment = (text: string): string => (text === '' ? '#' : `# ${text}`);
  const said = lines.flatMap(({ text, isComment, rules, like }) => [
    comment(isComment ? text.replace(/^\s*#\s?/, '') : text),
    ...rules.flatMap(({ rule, forLine }) =>
      forLine === undefined ? rule : [comment(`  without what line ${forLine} denies first:`), rule],
    ),
    ...(rules.length === 0 && !isComment ? [comment('  (no rule)')] : []),
    ...like.map((rule) => comment(`  similar, but not the same: ${rule}`)),
  ]);
  return [`# From ${printable(path)} (${format}).`, ...HEADERS[format].map(comment), '', ...said, ''].join(
    '\n',
  );
}
