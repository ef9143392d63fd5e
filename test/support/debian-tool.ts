/** Programs that tests need: the machine's own, else Debian's, unpacked into the cache and never installed. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheFolder, key, provide, report, run, unpackPackages } from '../xenstored/fetch.js';

/** A program, and where it was unpacked. */
export interface Tool {
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The folder that stands for `/` of the unpacked packages, and that of the libraries in it; undefined when it is installed. */
  readonly unpacked?: { readonly root: string; readonly libraries: string };
}

/** What a program is made of. */
interface Recipe {
  readonly name: string;
  /** Its package, and those that not every Debian has. */
  readonly packages: readonly string[];
  /** What makes it start. */
  readonly check: readonly string[];
  /** What an unpacked one needs beside its libraries. */
  readonly environment?: (root: string) => Readonly<Record<string, string>>;
}

/** A program that starts, or undefined, loudly; an error where the environment says `CI=true`. */
export async function toolOrSkip(recipe: Recipe): Promise<Tool | undefined> {
  const { name, check } = recipe;
  try {
    const tool = installed(name) ?? (await fetched(recipe));
    const settings = Object.entries(tool.environment).map(([variable, value]) => `${variable}=${value}`);
    await run('env', [...settings, tool.program, ...check]);
    return tool;
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    report(`SKIPPING WHAT NEEDS ${name.toUpperCase()}: ${String(error).toUpperCase()}`);
    return undefined;
  }
}

function installed(name: string): Tool | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const program = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  return program === undefined ? undefined : { program, environment: {} };
}

async function fetched({ name, packages, environment }: Recipe): Promise<Tool> {
  const root = join(cacheFolder(), `${name}-${key(process.arch, ...packages)}`);
  await provide(root, `downloading ${name} from Debian`, (folder) => unpackPackages(folder, name, packages));
  const program = [`bin/${name}`, `usr/bin/${name}`]
    .map((path) => join(root, path))
    .find((path) => existsSync(path));
  if (program === undefined) throw new Error(`Debian's package ${packages[0]} has no program ${name}`);
  const triplet = (await run('gcc', ['-print-multiarch'])).trim();
  const libraries = join(root, 'usr/lib', triplet);
  const path = [join(root, 'lib', triplet), libraries].join(':');
  return {
    program,
    environment: { LD_LIBRARY_PATH: path, ...environment?.(root) },
    unpacked: { root, libraries },
  };
}
