/** Programs that tests need: the machine's own, otherwise Debian's, unpacked into the cache and never installed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Found, orSkip, programPath } from './needs.js';
import { cacheFolder, key, libraryFolders, provide, run, unpackPackages } from './packages.js';

/** A program, and where it was unpacked. */
export interface Tool {
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The folder in place of `/` for the unpacked packages, and the library folders in it; undefined when it is installed. */
  readonly unpacked?: { readonly root: string; readonly libraries: readonly string[] };
}

/** What a program consists of. */
interface Recipe {
  readonly name: string;
  /** Its package, and others that not every Debian has. */
  readonly packages: readonly string[];
  /** What makes it start. */
  readonly check: readonly string[];
  /** What an unpacked one needs in addition to its libraries. */
  readonly environment?: (root: string) => Readonly<Record<string, string>>;
}

/** A program that starts, or why its tests are skipped; with `CI=true` a missing one is an error. */
export async function toolOrSkip(recipe: Recipe): Promise<Found<Tool>> {
  const { name, check } = recipe;
  const toInstall = `${name}, or apt and dpkg with Debian's archive in reach`;
  return orSkip(`what needs ${name}`, toInstall, async () => {
    const tool = installed(name) ?? (await fetched(recipe));
    const settings = Object.entries(tool.environment).map(([variable, value]) => `${variable}=${value}`);
    await run('env', [...settings, tool.program, ...check]);
    return tool;
  });
}

function installed(name: string): Tool | undefined {
  const program = programPath(name);
  return program === undefined ? undefined : { program, environment: {} };
}

async function fetched({ name, packages, environment }: Recipe): Promise<Tool> {
  const root = join(cacheFolder(), `${name}-${key(process.arch, ...packages)}`);
  await provide(root, `downloading ${name} from Debian`, (folder) => unpackPackages(folder, name, packages));
  const program = [`bin/${name}`, `usr/bin/${name}`]
    .map((path) => join(root, path))
    .find((path) => existsSync(path));
  if (program === undefined) throw new Error(`Debian's package ${packages[0]} has no program ${name}`);
  const libraries = await libraryFolders(root);
  return {
    program,
    environment: { LD_LIBRARY_PATH: libraries.join(':'), ...environment?.(root) },
    unpacked: { root, libraries },
  };
}
