/** Tables as such, and how wide they may be. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Column, displayWidth, fit, fitEnd, formatTable } from '../../src/cli/table.js';
import { columnsOf, redraws } from '../../src/cli/terminal.js';

const linesOf = (text: string): string[] => text.trimEnd().split('\n');

describe('a table', () => {
  const column = (title: string, cell: string, more: Partial<Column> = {}): Column => {
    return { title, cells: [cell], ...more };
  };

  it('first leaves out what nothing may be cut for, then what has the lowest rank and no room', () => {
    const columns = [
      column('KEY', 'k'.repeat(10)),
      column('ONE', '1111', { rank: 2 }),
      column('TWO', '22', { rank: 3 }),
      column('TEXT', 't'.repeat(20), { narrowest: 10 }),
      column('MORE', 'mmmm', { rank: 1 }),
      column('NONE', ''),
    ];
    const titles = (width: number) => linesOf(formatTable(columns, width))[0]!.split(/ +/);
    assert.deepEqual(titles(1000), ['KEY', 'ONE', 'TWO', 'TEXT', 'MORE']);
    assert.deepEqual(titles(49), ['KEY', 'ONE', 'TWO', 'TEXT', 'MORE']);
    assert.deepEqual(titles(48), ['KEY', 'ONE', 'TWO', 'TEXT']);
    assert.deepEqual(titles(33), ['KEY', 'ONE', 'TWO', 'TEXT']);
    assert.deepEqual(titles(32), ['KEY', 'TWO', 'TEXT']);
    assert.deepEqual(titles(26), ['KEY', 'TEXT']);
    assert.equal(linesOf(formatTable(columns, 1))[1], `${'k'.repeat(10)}  ${'t'.repeat(9)}…`);
  });

  it('lines up characters that are two columns wide or none', () => {
    const names = ['漢字😀', 'e\u0301a', '𠀀'];
    const [, ...lines] = linesOf(
      formatTable([
        { title: 'NAME', cells: names },
        { title: 'X', cells: ['x', 'x', 'x'] },
      ]),
    );
    for (const line of lines) assert.equal(displayWidth(line.slice(0, line.indexOf('x'))), 8);
  });

  it('cuts a text at a whole character', () => {
    assert.equal(fit('abc', 3), 'abc');
    assert.equal(fit('abcd', 3), 'ab…');
    assert.equal(fit('漢字漢字', 6), '漢字…');
    assert.equal(fitEnd('漢字  ', 'abcdefghij', 15), '漢字  abcdefgh…');
    assert.equal(fitEnd('漢字  ', 'abcdefghij', 3), '漢字  abcdefg…');
    assert.equal(fitEnd('漢字  ', 'abcdefghij'), '漢字  abcdefghij');
  });
});

describe('the width of lines', () => {
  it("is what COLUMNS says, otherwise the terminal's, otherwise unlimited", () => {
    const terminal = { isTTY: true, columns: 132 };
    assert.equal(columnsOf(terminal, {}), 132);
    assert.equal(columnsOf(terminal, { COLUMNS: '60' }), 60);
    assert.equal(columnsOf({ isTTY: true, columns: 0 }, {}), 80);
    assert.equal(columnsOf({}, {}), undefined);
    assert.equal(columnsOf({}, { COLUMNS: '60' }), 60);
    for (const COLUMNS of ['', '0', '-1', 'wide', '1e3', '99999999999']) {
      assert.equal(columnsOf(terminal, { COLUMNS }), 132, COLUMNS);
      assert.equal(columnsOf({}, { COLUMNS }), undefined, COLUMNS);
    }
  });
});

describe('a line that is drawn again', () => {
  it('is for a terminal that knows escape sequences, and for nobody who asked for none', () => {
    const terminal = { isTTY: true };
    assert.ok(redraws(terminal, { TERM: 'xterm', NO_COLOR: '' }));
    assert.ok(!redraws(terminal, { TERM: 'dumb' }));
    assert.ok(!redraws(terminal, { TERM: 'xterm', NO_COLOR: '1' }));
    assert.ok(!redraws({}, { TERM: 'xterm' }));
  });
});
