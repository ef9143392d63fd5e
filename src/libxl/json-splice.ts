/**
 * Changes to a JSON text that leave every other character as it is.
 *
 * What is added looks like its neighbours: libxl writes four spaces per level, `"key": value`, and an empty object as
 * an empty line between its braces; a text without line breaks gets none. Adding and then removing gives the same
 * text again: a comma is removed together with the white space that came with it.
 */
import { type Container, type Span, skipSpace } from './json-scan.js';

/** A value to be written: a finished piece of JSON, or the members of an object. */
export type Written = string | readonly WrittenMember[];

/** A member to be written: its key as JSON, with quotes, and its value. */
export type WrittenMember = readonly [key: string, value: Written];

/** How a piece is laid out: what a line begins with and what a level adds; without it everything is on one line. */
export interface Layout {
  readonly indent: string;
  readonly unit: string;
}

const UNIT = '    ';

/** The layout of an object's members in a text, taken from the last one; undefined when it has no line breaks. */
export function layoutOf(text: string, container: Container<Span>): Layout | undefined {
  // Without members there is nothing to go by: libxl's own layout.
  if (container.items.length === 0) return { indent: UNIT, unit: UNIT };
  const space = spaceBefore(text, container, container.items.length - 1);
  const lineBreak = space.lastIndexOf('\n');
  if (lineBreak < 0) return undefined;
  const indent = space.slice(lineBreak + 1);
  return { indent, unit: indent || UNIT };
}

/** The layout one level deeper. */
function deeper(layout: Layout | undefined): Layout | undefined {
  return layout && { ...layout, indent: layout.indent + layout.unit };
}

/** A value as text; its first line is not indented, its last is indented as `layout` says. */
export function format(value: Written, layout: Layout | undefined): string {
  if (typeof value === 'string') return value;
  const inner = deeper(layout);
  const members = value.map(([key, member]) => `${key}:${layout ? ' ' : ''}${format(member, inner)}`);
  return enclose('{', members, '}', layout);
}

/** An array of finished values as text. */
export function formatArray(values: readonly Written[], layout: Layout | undefined): string {
  const inner = deeper(layout);
  return enclose(
    '[',
    values.map((value) => format(value, inner)),
    ']',
    layout,
  );
}

function enclose(open: string, items: readonly string[], close: string, layout: Layout | undefined): string {
  if (!layout) return `${open}${items.join(',')}${close}`;
  const space = `\n${layout.indent}${layout.unit}`;
  const inside = items.length === 0 ? '\n' : `${space}${items.join(`,${space}`)}`;
  return `${open}${inside}\n${layout.indent}${close}`;
}

/** The white space before an item: from its comma, or from its container's bracket. */
function spaceBefore(text: string, { start, items }: Container<Span>, index: number): string {
  const item = items[index];
  if (!item) return '';
  const before = items[index - 1];
  return text.slice(before ? skipSpace(text, before.end) + 1 : start + 1, item.start);
}

/** The text with `written` in place of a span. */
export function replaced(text: string, { start, end }: Span, written: string): string {
  return text.slice(0, start) + written + text.slice(end);
}

/** The text with one more item: before the item at `index`, or after the last when there is none. */
export function inserted(text: string, container: Container<Span>, index: number, written: string): string {
  const { items } = container;
  const next = items[index];
  if (next) {
    const at = next.start;
    return replaced(text, { start: at, end: at }, `${written},${spaceBefore(text, container, index)}`);
  }
  const last = items.at(-1);
  if (last) {
    const space = spaceBefore(text, container, items.length - 1);
    return replaced(text, { start: last.end, end: last.end }, `,${space}${written}`);
  }
  // The white space of an empty container stays next to what is put into it.
  const at = container.start + 1;
  return replaced(text, { start: at, end: at }, written);
}

/** The text without the item at `index`. */
export function removed(text: string, { items }: Container<Span>, index: number): string {
  const item = items[index]!;
  const next = items[index + 1];
  if (next) return replaced(text, { start: item.start, end: next.start }, '');
  const before = items[index - 1];
  return replaced(text, { start: before ? before.end : item.start, end: item.end }, '');
}
