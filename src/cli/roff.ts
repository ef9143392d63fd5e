/** Text as roff (`man(7)`), in the few macros that groff and mandoc both have. */

/** Characters that roff would make others of: dashes, quotes and accents, which nobody could paste into a shell. */
const GLYPHS: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  "'": '\\(aq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
};

/** Widest line of prose in the source, as is usual. */
const SOURCE_WIDTH = 78;

/** Text that stands for itself, wherever in a line it is: a line that begins with a dot would be a request. */
export function roff(text: string): string {
  return text.replace(/[-\\'`^~]/g, (character) => GLYPHS[character]!).replace(/^\./gm, '\\&.');
}

/** Text that is filled, in short lines. */
export function prose(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.trim().split(/\s+/).map(roff)) {
    const longer = `${lines.at(-1) ?? ''} ${word}`;
    if (lines.length > 0 && longer.length <= SOURCE_WIDTH) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Text in bold. */
export function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`;
}

/** A usage: what is typed as it is in bold, what `<...>` and `[...]` stand for in italics. */
export function usage(text: string): string {
  return text
    .split(/(<[^>]*>|\[\w+\]|[[\] ])/)
    .map((part) => {
      if (/^\[\w+\]$/.test(part)) return `[\\fI${part.slice(1, -1)}\\fR]`;
      if (part.startsWith('<')) return `\\fI${roff(part.slice(1, -1))}\\fR`;
      return /^[[\] ]?$/.test(part) ? part : bold(part);
    })
    .join('');
}

/** A list: what is told of stands before the text about it, each as roff already. */
export function list(entries: readonly (readonly [tag: string, ...text: string[]])[]): string[] {
  return entries.flatMap(([tag, ...text]) => ['.TP', tag, ...text]);
}

/** No hyphens that nobody wrote: names and commands are to be read as they are. */
export const NO_HYPHENS = '.nh';

/** Lines that are not filled. */
export function verbatim(lines: readonly string[]): string[] {
  // groff hyphenates again after them.
  return ['.EX', ...lines.map(roff), '.EE', NO_HYPHENS];
}

/** An entry of a list in a help text: a word in the margin, then a colon or two spaces, then what is said of it. */
const ENTRY = /^ {2}(\S+?)(?:: +| {2,})(\S.*)$/;

/**
 * The text of a help: paragraphs; lists, which are indented (`  pv  served by ...`, with deeper lines that go on); other
 * indented lines are what is typed, and stay as they are.
 */
export function formatHelp(text: string): string[] {
  return text
    .split(/\n{2,}/)
    .flatMap((paragraph, at) => [...(at === 0 ? [] : ['.PP']), ...formatParagraph(paragraph.split('\n'))]);
}

function formatParagraph(lines: readonly string[]): string[] {
  const indented = lines.findIndex((line) => line.startsWith('  '));
  if (indented < 0) return prose(lines.join(' '));
  const [before, block] = [prose(lines.slice(0, indented).join(' ')), lines.slice(indented)];
  if (!ENTRY.test(block[0]!)) {
    // What follows at the margin is text again.
    const after = block.findIndex((line) => !line.startsWith('  '));
    const typed = after < 0 ? block : block.slice(0, after);
    const rest = block.slice(typed.length);
    return [
      ...before,
      ...verbatim(typed.map((line) => line.trim())),
      ...(rest.length > 0 ? formatParagraph(rest) : []),
    ];
  }
  const entries: [string, ...string[]][] = [];
  for (const line of block) {
    const [, tag, text] = ENTRY.exec(line) ?? [];
    if (tag !== undefined && text !== undefined) entries.push([bold(tag), ...prose(text)]);
    else entries.at(-1)!.push(...prose(line));
  }
  return [...before, '.RS', ...list(entries), '.RE'];
}
