/** pvusb in dom0: its Debian package, installed as a user would. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { projectFolder } from '../base/paths.js';
import { run } from '../base/process.js';
import { progress } from '../base/progress.js';
import { quote } from '../machine/ssh.js';
import type { Lab } from './lab.js';

/** What the package is made from. */
const SOURCES = ['src', 'scripts', 'packaging', 'package.json', 'package-lock.json', 'CHANGELOG.md'];

/** Installs a pvusb package: the one named, the one in `PVUSB_DEB`, or the checkout's. */
export async function installPvusb(lab: Lab, named = process.env.PVUSB_DEB): Promise<void> {
  const deb = named ?? (await providePackage());
  progress(`installing ${basename(deb)} in dom0`);
  await lab.push([deb], '/root');
  await lab.dom0(`dpkg -i ${quote(`/root/${basename(deb)}`)}`);
}

/** The package of this checkout, made by `npm run package` if there is none, or a source is newer. */
export async function providePackage(): Promise<string> {
  const sources = (await Promise.all(SOURCES.map(filesOf))).flat();
  const packages = async () => (await filesOf('out')).filter(({ path }) => path.endsWith('_amd64.deb'));
  const isCurrent = ({ ms }: TimedFile) => sources.every((source) => source.ms < ms);
  const there = (await packages()).find(isCurrent);
  if (there) return there.path;
  progress('making the pvusb package');
  await run(process.execPath, [join(projectFolder(), 'scripts/package.js'), 'amd64']);
  const [newest] = (await packages()).sort((a, b) => b.ms - a.ms);
  return newest!.path;
}

interface TimedFile {
  readonly path: string;
  readonly ms: number;
}

/** A file, or the files below a folder, with the time of their last change; without what npm has installed. */
async function filesOf(name: string): Promise<TimedFile[]> {
  const top = join(projectFolder(), name);
  if (!existsSync(top)) return [];
  const isFolder = (await stat(top)).isDirectory();
  const below = isFolder ? await readdir(top, { recursive: true }) : ['.'];
  const paths = below.filter((path) => !path.includes('node_modules')).map((path) => join(top, path));
  const timed = await Promise.all(paths.map(async (path) => ({ path, of: await stat(path) })));
  return timed.filter(({ of }) => of.isFile()).map(({ path, of }) => ({ path, ms: of.mtimeMs }));
}
