/**
 * Everything that a lab boots from, made in stages. A stage's folder is named by a key of everything that goes into it,
 * so it is made again exactly when something in that has changed.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { provideFolder } from '../base/folders.js';
import { cacheFolder, keyPath, shortKey, sourcePath } from '../base/paths.js';
import { run } from '../base/process.js';
import type { Suite } from '../debian/suites.js';
import { findCompiler, unpackCompiler } from './compiler.js';
import { makeImage } from './image.js';
import { compileModules, unpackKernel } from './kernel.js';
import { makeMedia } from './media.js';
import { fetchPackages, isComplete, type Packages } from './packages.js';
import { makeSystem, namesOf } from './system.js';
import { provideTools } from './tools.js';

/** What a lab boots from. */
export interface Built {
  /** The folders of Xen and Linux, of dom0's disk, and of the sticks. */
  readonly kernel: string;
  readonly image: string;
  readonly media: string;
  /** Changes when any of them does. */
  readonly key: string;
}

/**
 * Makes what is missing or was made from older sources, of a release of Debian. Packages stay as they are until `fresh`
 * asks apt again.
 *
 * @throws {LabError} saying what the machine lacks
 */
export async function build(suite: Suite, { fresh = false } = {}): Promise<Built> {
  await provideTools();
  const packages = await knownPackages(suite, fresh);
  const { release } = packages;
  await provideKey();
  const system = await stage(
    `system-${suite}`,
    [...namesOf(packages.system), ...(await sources('build/system.ts'))],
    (folder) => makeSystem(folder, packages.system),
  );
  const kernelDebs = namesOf([...packages.linux, ...packages.source, packages.hypervisor]);
  const kernel = await stage(
    `kernel-${suite}`,
    [...kernelDebs, ...(await sources('build/kernel.ts', 'build/modules.ts'))],
    (folder) => unpackKernel(folder, packages),
  );
  const compilerRoot = await stage(
    `compiler-${suite}`,
    [...namesOf(packages.compiler), ...(await sources('build/compiler.ts'))],
    (folder) => unpackCompiler(folder, packages.compiler),
  );
  const compiler = await findCompiler(compilerRoot);
  const modules = await stage(
    `modules-${suite}`,
    [kernel, compilerRoot, ...(await sources('usbback'))],
    (folder) => compileModules(folder, kernel, compiler, release),
  );
  const media = await stage('media', await sources('build/media.ts'), makeMedia);
  const makers = await sources('build/image.ts', 'build/cpio.ts', 'dom0', 'guest');
  const key = await readFile(`${keyPath()}.pub`, 'utf8');
  const image = await stage(`image-${suite}`, [system, kernel, modules, key, ...makers], (folder) =>
    makeImage(folder, { system, kernel, modules, compiler, release }),
  );
  const machine = await sources('machine/machine.ts', 'machine/usb.ts');
  return { kernel, image, media, key: shortKey(kernel, image, media, ...machine) };
}

/** The folder of a stage. */
async function stage(
  name: string,
  ingredients: readonly string[],
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  return provideFolder(join(cacheFolder(), 'build', `${name}-${shortKey(...ingredients)}`), fill);
}

/** The packages chosen last time, so that a lab does not change under its user, and needs no network. */
async function knownPackages(suite: Suite, fresh: boolean): Promise<Packages> {
  const list = join(cacheFolder(), `packages-${suite}.json`);
  if (!fresh && existsSync(list)) {
    const packages = JSON.parse(await readFile(list, 'utf8')) as Packages;
    const { system, linux, compiler, source, hypervisor } = packages;
    const files = [...system, ...linux, ...compiler, ...source, hypervisor];
    if (files.every((file) => existsSync(file)) && isComplete(packages)) return packages;
  }
  const packages = await fetchPackages(suite);
  await writeFile(list, JSON.stringify(packages, null, 2));
  return packages;
}

async function provideKey(): Promise<void> {
  const path = keyPath();
  if (existsSync(path)) return;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'pvusb-lab', '-f', path]);
}

/** The texts of sources of the lab, files or folders: what is made by them or from them changes when they do. */
async function sources(...names: readonly string[]): Promise<string[]> {
  const texts: string[] = [];
  for (const path of names.map((name) => sourcePath(name))) {
    const isFile = path.endsWith('.ts');
    const below = isFile ? [] : await readdir(path, { recursive: true, withFileTypes: true });
    const files = below.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    for (const file of isFile ? [path] : files.sort()) {
      texts.push(`${relative(path, file)}\n${await readFile(file, 'utf8')}`);
    }
  }
  return texts;
}
