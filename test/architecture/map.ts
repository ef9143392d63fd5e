/** ARCHITECTURE.md as data: its tables are the rules that the tests in this folder enforce. */
import assert from 'node:assert/strict';
import { readProjectFile } from './sources.js';

/** What a folder is: its row in one of the map's tables. */
export interface Room {
  /** From the project's folder: `src/pvusb/plan`. */
  readonly path: string;
  /** The folders of the same table that its files may import; all of them where it says `all`. */
  readonly mayImport: readonly string[];
  /** Nothing that it runs reaches the outside world. */
  readonly isPure: boolean;
}

/** One table of folders. */
export interface Floor {
  /** What the folders of the table are in; the project's folder for the first table. */
  readonly folder: string;
  readonly rooms: readonly Room[];
}

const MAP = 'ARCHITECTURE.md';

/** The rows of the first table after a heading, cell by cell, without the markup of code. */
function tableAfter(heading: string): string[][] {
  const [, after] = readProjectFile(MAP).split(`\n${heading}\n`);
  assert.ok(after, `${MAP} has a section "${heading}"`);
  const table = /(?:^\|.*\|\n)+/m.exec(after)?.[0] ?? '';
  const rows = table
    .trim()
    .split('\n')
    .slice(2)
    .map((row) =>
      row
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.replaceAll('`', '').trim()),
    );
  assert.ok(rows.length > 0, `${MAP} has a table in "${heading}"`);
  return rows;
}

function floor(heading: string, folder: string): Floor {
  const rows = tableAfter(heading);
  const paths = rows.map(([name]) => (folder === '' ? name! : `${folder}/${name}`).replace(/\/$/, ''));
  const prefix = folder === '' ? 'src/' : `${folder}/`;
  const rooms = rows.map(([, imports = '', pure = ''], i): Room => {
    const mayImport =
      imports === 'all' ? paths : imports === '-' ? [] : imports.split(', ').map((name) => prefix + name);
    return { path: paths[i]!, mayImport, isPure: pure === 'pure' };
  });
  return { folder, rooms };
}

/** The tables of folders: of the project, and of its folders that have inner ones. */
export const FLOORS: readonly Floor[] = [
  floor('## The tree', ''),
  floor('### Inside `src/pvusb`', 'src/pvusb'),
  floor('### Inside `src/sim`', 'src/sim'),
  floor('### Inside `lab`', 'lab'),
];

/** The files that may touch the world outside the process, and through which Node modules. */
export function outsideFiles(): ReadonlyMap<string, readonly string[]> {
  return new Map(tableAfter('## The outside world').map(([path, by]) => [path!, by!.split(', ')]));
}
