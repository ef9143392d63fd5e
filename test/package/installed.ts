/** The Debian package under test, unpacked; `npm run test:package` makes both. */
import { join } from 'node:path';
import { orSkip, programOf } from '../support/needs.js';

/** Where it is. */
interface Installed {
  /** The package's file. */
  readonly deb: string;
  /** The folder that stands for `/`. */
  readonly root: string;
  /** The program in it. */
  readonly program: string;
}

/** What scripts/test-package.js has unpacked. */
export function installed(): Installed {
  const { PVUSB_DEB: deb, PVUSB_ROOT: root } = process.env;
  if (!deb || !root) throw new Error('there is no package to test: run "npm run test:package"');
  return { deb, root, program: join(root, 'usr/bin/pvusb') };
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
