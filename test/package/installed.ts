/** The packages under test; `npm run test:package` makes them. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { orSkip, programOf } from '../support/needs.js';

/** Where Debian's is, and where it is unpacked. */
interface Installed {
  /** The package's file. */
  readonly deb: string;
  /** The folder in place of `/`. */
  readonly root: string;
  /** What is called in it: the launcher. */
  readonly program: string;
  /** The full program, which that starts. */
  readonly full: string;
}

/** What scripts/test-package.js has unpacked. */
export function installed(): Installed {
  const { PVUSB_DEB: deb, PVUSB_ROOT: root } = process.env;
  if (!deb || !root) throw new Error('there is no package to test: run "npm run test:package"');
  return {
    deb,
    root,
    program: join(root, 'usr/bin/pvusb'),
    full: join(root, 'usr/lib/pvusb/pvusb'),
  };
}

/** npm's package. */
export function tarball(): string {
  const { PVUSB_TARBALL: path } = process.env;
  if (!path) throw new Error('there is no package to test: run "npm run test:package"');
  return path;
}

/** Every link between the documents in a folder leads to a file. */
export function assertLinks(folder: string): void {
  const documents = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.md') && !path.includes('node_modules'),
  );
  assert.ok(documents.includes('README.md') && documents.includes('docs/errors.md'));
  for (const path of documents) {
    const links = readFileSync(join(folder, path), 'utf8').matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g);
    for (const [, link] of links) {
      assert.ok(existsSync(join(folder, dirname(path), link!)), `${path} links to ${link}`);
    }
  }
}

/** The first of these programs that is installed, or why the tests that need it are skipped; with `CI=true` an error. */
export async function toolOrSkip(
  names: readonly string[],
  debianPackage: string,
): Promise<{ readonly tool: string; readonly skip: string | false }> {
  const tests = `the package by ${names[0]}`;
  const { found, skip } = await orSkip(tests, debianPackage, () => programOf(...names));
  return { tool: found ?? '', skip };
}
