/**
 * The API pages have every exported name, with its comment. `npm run docs` generates them, and
 * `npm run test:package` checks that they are up to date in every detail.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { none } from './none.js';
import { exportsOf, IMPORTS, readProjectFile, SRC } from './sources.js';

const INDEXES = Object.keys(
  (JSON.parse(readProjectFile('package.json')) as { readonly exports: Readonly<Record<string, unknown>> })
    .exports,
).flatMap((entry) =>
  entry.endsWith('.json') ? [] : join('src', entry === '.' ? 'pvusb' : entry, 'index.ts'),
);

/** What a file exports, and the file that each name is declared in. */
function exported(path: string): Map<string, string> {
  const source = SRC.find((one) => one.path === path);
  assert.ok(source, path);
  const found = new Map(exportsOf(source).map((name) => [name, path]));
  for (const { from, target, names, isPassedOn } of IMPORTS) {
    if (from !== path || !isPassedOn) continue;
    for (const [name, origin] of exported(target)) {
      if (names.includes('*') || names.includes(name)) found.set(name, origin);
    }
  }
  return found;
}

/** The words of a text, without what is markup in a comment or in a page. */
function wordsOf(text: string): string {
  const plain = text
    .replaceAll(/\]\(#[^)]*\)/g, ' ')
    .replaceAll(/@\w+/g, ' ')
    .replaceAll('&lt;', '<');
  return (plain.match(/[\w-]{2,}/g) ?? []).filter((word) => !/^(link|Throws)$/.test(word)).join(' ');
}

/** The doc comment of a name: its text, and that of each error. */
function commentOf(name: string, path: string): string[] {
  const { text } = SRC.find((one) => one.path === path)!;
  const declared = new RegExp(
    `^export (?:abstract )?(?:async )?(?:function\\*?|class|interface|type|const) ${name}\\b`,
    'm',
  );
  const before = text.slice(0, declared.exec(text)?.index).trimEnd();
  assert.ok(before.endsWith('*/'), `${path}: ${name} has a comment`);
  return before.slice(before.lastIndexOf('/**')).split('@throws').map(wordsOf);
}

describe("the API's pages", () => {
  for (const index of INDEXES) {
    const folder = index.split('/')[1];
    const path = folder === 'pvusb' ? 'docs/api.md' : `docs/api/${folder}.md`;

    it(`${path} has what ${index} exports, and what the comments say`, () => {
      const sections = readProjectFile(path).split(/^#{2,3} /m);
      const pages = new Map(sections.map((text) => [text.split('\n', 1)[0], wordsOf(text)]));
      const names = exported(index);
      const titles = [...readProjectFile(path).matchAll(/^### (\w+)$/gm)].map(([, name]) => name!);
      assert.deepEqual(titles.sort(), [...names.keys()].sort(), 'npm run docs');
      none(
        [...names]
          .filter(
            ([name, origin]) => !commentOf(name, origin).every((text) => pages.get(name)?.includes(text)),
          )
          .map(([name]) => name),
        'in the page with a comment that differs from the sources (npm run docs)',
      );
    });
  }
});
