/** Tables for terminals of any width, and for no terminal. */

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** A cell for each row. A column of empty cells is left out. */
  readonly cells: readonly string[];
  /** Its cells are cut to this width at most. Unless given they are never cut: what has to be typed next is shown in full. */
  readonly narrowest?: number;
  /** May be left out: with 1, if anything would be cut for it; others, lower ones first, if cutting is not enough. */
  readonly rank?: number;
}

/** What separates two columns. */
const GAP = '  ';

/** {@link fit} cuts the end of a line to this width at most: less says nothing. */
const TEXT_MIN = 8;

/**
 * Formats rows below a header. If they are wider than the terminal (`width`; without one nothing is too wide), columns
 * that allow it are left out or cut, with an ellipsis. Columns that allow neither make the lines longer than the
 * terminal.
 */
export function formatTable(columns: readonly Column[], width = Number.POSITIVE_INFINITY): string {
  const shown = choose(
    columns.filter(({ cells }) => cells.some((cell) => cell !== '')),
    width,
  );
  const widths = shown.map(fullWidth);
  shrink(shown, widths, width);
  const rows = shown[0]?.cells.map((_, row) => shown.map(({ cells }) => cells[row] ?? '')) ?? [];
  return [shown.map(({ title }) => title), ...rows].map((cells) => formatRow(cells, widths)).join('');
}

function choose(columns: readonly Column[], width: number): readonly Column[] {
  if (lineWidth(columns.map(fullWidth)) <= width) return columns;
  const inOrder = columns.filter(({ rank }) => rank !== 1);
  const spare = inOrder.filter(({ rank }) => rank !== undefined).sort((a, b) => b.rank! - a.rank!);
  let shown = inOrder.filter((column) => !spare.includes(column));
  for (const column of spare) {
    const more = inOrder.filter((other) => other === column || shown.includes(other));
    if (lineWidth(more.map(leastWidth)) <= width) shown = more;
  }
  return shown;
}

function fullWidth({ title, cells }: Column): number {
  return Math.max(title.length, ...cells.map(displayWidth));
}

function leastWidth(column: Column): number {
  return Math.min(
    fullWidth(column),
    Math.max(column.title.length, column.narrowest ?? Number.POSITIVE_INFINITY),
  );
}

function lineWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
}

/** Cuts the widest of the columns that may be cut, until the line fits. */
function shrink(columns: readonly Column[], widths: number[], width: number): void {
  while (lineWidth(widths) > width) {
    const cuttable = columns.map((column, k) => (widths[k]! > leastWidth(column) ? widths[k]! : 0));
    const widest = Math.max(...cuttable);
    if (widest === 0) return;
    widths[cuttable.indexOf(widest)]! -= 1;
  }
}

function formatRow(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((cell, k) => {
    const fitted = fit(cell, widths[k]!);
    return fitted + ' '.repeat(Math.max(0, widths[k]! - displayWidth(fitted)));
  });
  return `${cells.join(GAP).trimEnd()}\n`;
}

/** A line whose end may be cut, and whose beginning may not. */
export function fitEnd(whole: string, end: string, width = Number.POSITIVE_INFINITY): string {
  return `${whole}${fit(end, Math.max(TEXT_MIN, width - displayWidth(whole)))}`;
}

/** Cuts a text to a display width. */
export function fit(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let cut = '';
  for (const character of text) {
    if (displayWidth(cut + character) > width - 1) break;
    cut += character;
  }
  return `${cut}…`;
}

/** What takes no column of its own. */
const COMBINING = /\p{M}/u;

/** What takes two columns. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18aff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;

/** Columns that a text takes: two for East Asian wide characters and emoji, none for combining marks. */
export function displayWidth(text: string): number {
  // Nearly every cell: asking about each character would be most of the time of a table.
  if (isAscii(text)) return text.length;
  let width = 0;
  for (const character of text) if (!COMBINING.test(character)) width += WIDE.test(character) ? 2 : 1;
  return width;
}

function isAscii(text: string): boolean {
  for (let k = 0; k < text.length; k++) if (text.charCodeAt(k) > 0x7e) return false;
  return true;
}
