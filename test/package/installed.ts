/** The packages under test; `npm run test:package` makes them. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { orSkip, programOf } from '../support/needs.js';
import { projectRoot } from '../xenstored/fetch.js';

/** The processors that there are packages for, by Debian's names. */
export const ARCHITECTURES = ['amd64', 'arm64'] as const;

/** One of them. */
type Architecture = (typeof ARCHITECTURES)[number];

/** What is made for a processor. */
interface Packaged {
  /** Debian's package, and where it is unpacked: the folder in place of `/`. */
  readonly deb: string;
  readonly root: string;
  /** The program in it. */
  readonly program: string;
  /** The full program, which that starts. */
  readonly full: string;
  /** The archive for other systems. */
  readonly archive: string;
  /** What is in them, in CycloneDX's form. */
  readonly sbom: string;
}

/** The version of all packages. */
export const { version } = JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8')) as {
  readonly version: string;
};

/** What scripts/test-package.js has made and unpacked. */
export function packaged(architecture: Architecture): Packaged {
  const root = join(given('PVUSB_UNPACKED'), architecture);
  const stem = join(published(), `pvusb-${version}-linux-${architecture}`);
  return {
    deb: join(published(), `pvusb_${version}_${architecture}.deb`),
    root,
    program: join(root, 'usr/bin/pvusb'),
    full: join(root, 'usr/lib/pvusb/pvusb'),
    archive: `${stem}.tar.gz`,
    sbom: `${stem}.cdx.json`,
  };
}

/** The folder with everything that is published. */
export function published(): string {
  return given('PVUSB_PACKAGES');
}

/** npm's package. */
export function tarball(): string {
  return join(published(), `pvusb-${version}.tgz`);
}

/** The command that runs a program for Arm on this machine, without its arguments. */
export function emulated(program: string): readonly [command: string, ...args: string[]] {
  return [given('PVUSB_EMULATOR'), '-L', given('PVUSB_EMULATED'), program];
}

function given(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error('there is no package to test: run "npm run test:package"');
  return value;
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
