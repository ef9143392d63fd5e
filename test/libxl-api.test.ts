/** docs/libxl-api.md is true: its functions are exported, its codes exist, and each row names an existing test. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as libxl from '../src/libxl/index.js';
import * as pvusb from '../src/pvusb/index.js';
import { projectRoot } from './xenstored/fetch.js';

const ROOT = projectRoot();

/** Rows of all tables, cell by cell, without headers. */
const rows = readFileSync(join(ROOT, 'docs/libxl-api.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| libxl |'))
  .map((line) => line.slice(2, -2).split(' | '));

const tests = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && name !== 'libxl-api.test.ts')
  .map((name) => readFileSync(join(ROOT, 'test', name), 'utf8'))
  .join('\n');

describe('docs/libxl-api.md', () => {
  test('has a row for every function, field, type and error', () => {
    assert.ok(rows.length >= 60, `${rows.length} rows`);
    assert.ok(rows.every((cells) => cells.length >= 3 && cells.every((cell) => cell.trim() !== '')));
  });

  test('names an existing test in every row', () => {
    const titles = rows.map((cells) => cells.at(-1)!);
    assert.deepEqual(
      titles.filter((title) => !tests.includes(title)),
      [],
    );
  });

  test('names functions that are exported', () => {
    const named = rows.flatMap(([, ours]) => [...ours!.matchAll(/`(\w+)\(/g)].map(([, name]) => name!));
    assert.ok(named.length >= 12);
    const exported = { ...pvusb, ...libxl } as Readonly<Record<string, unknown>>;
    assert.deepEqual(
      named.filter((name) => typeof exported[name] !== 'function'),
      [],
    );
  });

  test('names error codes of the table', () => {
    const errors = rows.filter(([theirs]) => theirs!.startsWith('`ERROR_'));
    const codes = errors.flatMap(([, ours]) => [...ours!.matchAll(/`([a-z-]+)`/g)].map(([, code]) => code!));
    assert.deepEqual(
      codes.filter((code) => !Object.hasOwn(pvusb.ERROR_KINDS, code)),
      [],
    );
  });
});
