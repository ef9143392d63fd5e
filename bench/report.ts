/** What the bench prints. */

/** A goal and what was measured. */
export interface Goal {
  readonly goal: string;
  readonly figure: string;
  readonly met: boolean;
}

/** Prints a table: the first row is its header, the first column is left-aligned. */
export function printTable(title: string, rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
  console.log(`\n${title}\n${lines.join('\n')}`);
}

/** Prints the goals; returns whether all are met. */
export function printGoals(goals: readonly Goal[]): boolean {
  printTable('goals', [
    ['goal', 'figure', 'met?'],
    ...goals.map(({ goal, figure, met }) => [goal, figure, met ? 'yes' : 'NO']),
  ]);
  return goals.every(({ met }) => met);
}

/** `2.41 x`. */
export function times(ratio: number): string {
  return `${ratio.toFixed(2)} x`;
}

/** Milliseconds. */
export function ms(us: number): string {
  return `${(us / 1000).toFixed(1)} ms`;
}
