/** Tables for terminals of 80 columns. */

/** Widest line, unless the terminal is wider. */
const WIDTH = 80;

/** The width that a column is cut to at most. */
const COLUMN_MIN = 8;

/**
 * Formats rows below a header, columns separated by two spaces. When a row is wider than the terminal (80 columns
 * unless it has more) the widest columns are cut, with an ellipsis.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  columns = WIDTH,
): string {
  const widths = header.map((title, k) =>
    Math.max(title.length, ...rows.map((row) => displayWidth(row[k] ?? ''))),
  );
  shrink(widths, Math.max(columns, WIDTH));
  return [header, ...rows].map((row) => formatRow(row, widths)).join('');
}

/** Cuts the widest column until the line fits. */
function shrink(widths: number[], limit: number): void {
  const total = (): number => widths.reduce((sum, width) => sum + width, 0) + 2 * (widths.length - 1);
  while (total() > limit) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= COLUMN_MIN) return;
    widths[widest]! -= 1;
  }
}

function formatRow(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((cell, k) => {
    const fitted = fit(cell, widths[k]!);
    return fitted + ' '.repeat(Math.max(0, widths[k]! - displayWidth(fitted)));
  });
  return `${cells.join('  ').trimEnd()}\n`;
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

/** Columns that a text takes: two for East Asian wide characters and emoji, none for combining marks. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{M}/u.test(character)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18aff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}
