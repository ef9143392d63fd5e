/** A page of the documentation as a man page. */
import { lexer, type Token, type Tokens } from 'marked';
import { bold, list, NO_HYPHENS, prose, roff, verbatim } from './roff.js';

/** The pages of the documentation that are man pages too. */
export const MAN_DOCUMENTS = [
  { name: 'pvusb-serve', section: 8, summary: 'the daemon of pvusb', from: 'daemon.md' },
  { name: 'pvusb-rules', section: 5, summary: 'which guest gets which USB device', from: 'rules.md' },
] as const;

/** A page, and what it is called. */
interface ManDocument {
  /** `pvusb-rules` */
  readonly name: string;
  readonly section: number;
  /** What follows the name: `which guest gets which device`. */
  readonly summary: string;
  /** In Markdown. */
  readonly text: string;
  readonly version: string;
  readonly date: string;
}

/** Formats a page in roff (`man(7)`). Its first heading is left out: the name says it. */
export function formatManDocument({ name, section, summary, text, version, date }: ManDocument): string {
  const [, ...rest] = lexer(text).filter(({ type }) => type !== 'space');
  const lines = [
    `.TH ${name.toUpperCase()} ${section} ${date} "pvusb ${roff(version)}" "Xen"`,
    NO_HYPHENS,
    '.ad l',
    '.SH NAME',
    `${roff(name)} \\- ${roff(summary)}`,
    '.SH DESCRIPTION',
    ...rest.flatMap(formatBlock),
    '.SH SEE ALSO',
    ...prose('pvusb(1), pvusb-serve(8), pvusb-rules(5), xl(1)'),
    '',
  ];
  // A section begins with a paragraph anyway.
  return lines.filter((line, at) => line !== '.PP' || !lines[at - 1]?.startsWith('.S')).join('\n');
}

function formatBlock(token: Token): string[] {
  switch (token.type) {
    case 'heading':
      return [`${token.depth <= 2 ? '.SH' : '.SS'} "${plain(token.tokens).toUpperCase()}"`];
    case 'paragraph':
      return ['.PP', ...prose(plain(token.tokens))];
    case 'code':
      return ['.PP', '.RS 4', ...verbatim((token as Tokens.Code).text.split('\n')), '.RE'];
    case 'list':
      return formatList(token as Tokens.List);
    case 'table':
      return formatTable(token as Tokens.Table);
    default:
      throw new Error(`A man page has no ${token.type}: ${token.raw}`);
  }
}

function formatList({ items, ordered, start }: Tokens.List): string[] {
  const first = start === '' ? 1 : start;
  return items.flatMap(({ tokens }, at) => {
    const mark = ordered ? `${first + at}.` : '\\(bu';
    return [
      `.IP "${mark}" 4`,
      ...tokens.flatMap((token) => prose(plain('tokens' in token ? token.tokens : [token]))),
    ];
  });
}

/** The first column is the tag; the others are told in its paragraph, by what their columns are called. */
function formatTable({ header, rows }: Tokens.Table): string[] {
  const titles = header.map(({ tokens }) => plain(tokens));
  return list(
    rows.map((row) => {
      const [tag = '', ...cells] = row.map(({ tokens }) => plain(tokens));
      const told = cells.map((text, at) =>
        cells.length > 1 && titles[at + 1] ? `${titles[at + 1]}: ${text}` : text,
      );
      return [
        bold(tag),
        ...told
          .filter((text) => text !== '')
          .flatMap((text, at) => [...(at > 0 ? ['.br'] : []), ...prose(text)]),
      ];
    }),
  );
}

/** The words alone. */
function plain(tokens: readonly Token[] | undefined): string {
  return (tokens ?? [])
    .map((token) => {
      if ('tokens' in token && token.tokens) return plain(token.tokens);
      return unescaped('text' in token ? String(token.text) : token.raw);
    })
    .join('')
    .replace(/\s+/g, ' ');
}

/** The lexer escapes for HTML. */
function unescaped(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}
