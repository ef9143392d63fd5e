/** pvusb in dom0: its package, as a user installs it, or what stands in the checkout. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LabError } from './error.js';
import type { Lab } from './lab.js';
import { projectFolder } from './paths.js';
import { progress } from './progress.js';
import { quote } from './ssh.js';

/** Where a checkout goes in dom0. */
const FOLDER = '/usr/local/lib/pvusb';

/** What the built program loads from `node_modules`: its one native package. */
const NATIVE = ['koffi', '@koromix'];

/**
 * Installs a Debian package of pvusb: the one named, that of `PVUSB_DEB`, or what `npm run package` has made if no
 * source is newer. Without any, the checkout, built, with this machine's Node.
 */
export async function installPvusb(
  lab: Lab,
  named: string | undefined = process.env.PVUSB_DEB,
): Promise<void> {
  const deb = named ?? (await newestPackage());
  if (deb === undefined) return installCheckout(lab);
  progress(`installing ${basename(deb)} in dom0`);
  await lab.push([deb], '/root');
  await lab.dom0(`dpkg -i ${quote(`/root/${basename(deb)}`)}`);
}

/** What `npm run package` has made, unless a source has changed since. */
async function newestPackage(): Promise<string | undefined> {
  const debs = await timesBelow('out', /\.deb$/);
  const sources = await timesBelow('src', /\.ts$/);
  const newest = debs.sort((a, b) => b.ms - a.ms)[0];
  return newest && sources.every(({ ms }) => ms < newest.ms) ? newest.path : undefined;
}

async function timesBelow(folder: string, names: RegExp): Promise<{ path: string; ms: number }[]> {
  const top = join(projectFolder(), folder);
  const all = existsSync(top) ? await readdir(top, { recursive: true }) : [];
  const paths = all.filter((name) => names.test(name)).map((name) => join(top, name));
  return Promise.all(paths.map(async (path) => ({ path, ms: (await stat(path)).mtimeMs })));
}

async function installCheckout(lab: Lab): Promise<void> {
  progress('installing the checkout and Node in dom0');
  const project = projectFolder();
  if (!existsSync(join(project, 'dist/cli/main.cjs')))
    throw new LabError('pvusb is not built: npm run build');
  await lab.push([join(project, 'dist'), join(project, 'package.json')], FOLDER);
  const native = NATIVE.map((name) => join(project, 'node_modules', name));
  await lab.push(native, `${FOLDER}/node_modules`);
  await lab.push([process.execPath], '/usr/local/bin');
  await lab.dom0(`ln -sf ${FOLDER}/dist/cli/main.cjs /usr/local/bin/pvusb`);
}
