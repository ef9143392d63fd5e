/** The Debian package under test, unpacked; `npm run test:package` makes both. */
import { join } from 'node:path';
import { report, run } from '../xenstored/fetch.js';

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

/**
 * The first of these programs that is installed, or why the tests that need it are skipped. Where the environment says
 * `CI=true` it is an error instead, so that no build server turns green without them.
 */
export async function toolOrSkip(
  names: readonly string[],
  debianPackage: string,
): Promise<{ readonly tool: string; readonly skip: string | false }> {
  for (const name of names) {
    const found = await run('which', [name]).catch(() => '');
    if (found !== '') return { tool: found.trim(), skip: false };
  }
  const reason = `${names.join(' or ')} is missing: apt-get install ${debianPackage}`;
  if (process.env.CI === 'true') throw new Error(reason);
  report(`SKIPPED: ${reason.toUpperCase()}`);
  return { tool: '', skip: reason };
}
