/** The bundled program: it loads nothing that is not in it, and has the licences of what is. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { IMPORTS } from '../architecture/sources.js';
import { projectRoot } from '../xenstored/fetch.js';

const CLI = join(projectRoot(), 'dist', 'cli');

/** Native, and so not in the bundle. */
const EXTERNAL = ['koffi'];

/** What a package's own package.json says. */
function manifestOf(name: string) {
  const path = join(projectRoot(), 'node_modules', name, 'package.json');
  return JSON.parse(readFileSync(path, 'utf8')) as {
    readonly version: string;
    readonly license: string;
    readonly dependencies?: Readonly<Record<string, string>>;
  };
}

/** The program and its page. What makes the manual is loaded by the build alone. */
const isBundled = (path: string): boolean => /^(src|web)\//.test(path) && !path.startsWith('src/cli/man');

/** The packages that the sources load, and those that these need. */
function packages(): string[] {
  const loaded = IMPORTS.filter(
    ({ from, target, isType }) =>
      isBundled(from) && !isType && !target.startsWith('node:') && !/\.tsx?$/.test(target),
  ).map(({ target }) => /^(@[^/]+\/)?[^/]+/.exec(target)![0]);
  const all = new Set(loaded.filter((name) => !EXTERNAL.includes(name)));
  for (const name of all) for (const more of Object.keys(manifestOf(name).dependencies ?? {})) all.add(more);
  return [...all].sort();
}

describe('the bundled program', () => {
  it('loads its own files, those of Node, and the native package that it cannot have inside', () => {
    const files = readdirSync(CLI).filter((name) => /\.c?js$/.test(name));
    assert.ok(files.length > 10);
    const loaded = new Set<string>();
    for (const name of files) {
      const code = readFileSync(join(CLI, name), 'utf8');
      // In quotation marks "import" is the name of a command.
      for (const [, target] of code.matchAll(/(?<!")(?:\bfrom|\bimport\(?|\brequire\()\s*"([^"\s]+)"/g)) {
        if (target!.startsWith('.')) assert.ok(existsSync(join(CLI, target!)), `${name} loads ${target}`);
        else loaded.add(target!.replace(/^node:/, ''));
      }
    }
    assert.ok(loaded.has('fs/promises'), 'what is loaded is found at all');
    const foreign = [...loaded].filter((target) => !builtinModules.includes(target));
    assert.deepEqual(foreign, EXTERNAL);
  });

  it('comes with name, version and licence of every package inside, and of no other', () => {
    const notices = readFileSync(join(CLI, 'THIRD-PARTY-LICENCES.txt'), 'utf8');
    const titles = [...notices.matchAll(/^(.*)\n=+$/gm)].map(([, title]) => title);
    const wanted = packages().map((name) => {
      const { version, license } = manifestOf(name);
      return `${name} ${version} (${license})`;
    });
    assert.deepEqual(titles, wanted);
    for (const name of packages()) {
      const folder = join(projectRoot(), 'node_modules', name);
      const [licence] = readdirSync(folder).filter((file) => /^licen[cs]e/i.test(file));
      assert.ok(notices.includes(readFileSync(join(folder, licence!), 'utf8').trim()), name);
    }
  });
});
