/** What each part of a suite took, and what came of it. */

interface Row {
  readonly part: string;
  readonly ms: number;
  readonly isGood: boolean;
}

/** Rows as they are timed, printed in the end. */
export class Table {
  readonly #title: string;
  readonly #rows: Row[] = [];

  constructor(title: string) {
    this.#title = title;
  }

  /** Times a part; a failure is a row, too. */
  async time(part: string, body: () => Promise<void>): Promise<void> {
    const fromMs = Date.now();
    let isGood = false;
    try {
      await body();
      isGood = true;
    } finally {
      this.#rows.push({ part, ms: Date.now() - fromMs, isGood });
    }
  }

  toString(): string {
    const totalMs = this.#rows.reduce((sum, { ms }) => sum + ms, 0);
    const rows = [
      ...this.#rows,
      { part: 'total', ms: totalMs, isGood: this.#rows.every(({ isGood }) => isGood) },
    ];
    const lines = rows.map(({ part, ms, isGood }) => {
      return `${(ms / 1000).toFixed(1).padStart(7)} s  ${isGood ? 'ok    ' : 'FAILED'}  ${part}`;
    });
    return `\n${this.#title}\n${lines.join('\n')}\n\n`;
  }
}
