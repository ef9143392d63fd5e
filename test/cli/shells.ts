/** The shells that completion is for: the machine's own, else Debian's, unpacked into the cache and never installed. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Found, orSkip, programPath } from '../support/needs.js';
import { cacheFolder, key, libraryFolders, provide, run, unpackPackages } from '../support/packages.js';

/** A shell, and what it starts with. */
interface ShellKit {
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What an interactive one needs first, in its own language. */
  readonly prelude: string;
}

/** A shell's packages: itself, its functions and the libraries that not every Debian has. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  bash: ['bash', 'libtinfo6'],
  zsh: ['zsh', 'zsh-common', 'libcap2', 'libtinfo6'],
  fish: ['fish', 'fish-common', 'libpcre2-32-0', 'libtinfo6'],
};

/** A shell that starts, or why its tests are skipped; with `CI=true` a missing one is an error. */
export async function shellOrSkip(name: string): Promise<Found<ShellKit>> {
  const toInstall = `${name}, or apt and dpkg with Debian's archive in reach`;
  return orSkip(`the completion of ${name}`, toInstall, async () => {
    const kit = installed(name) ?? (await fetched(name));
    const settings = Object.entries(kit.environment).map(([variable, value]) => `${variable}=${value}`);
    await run('env', [...settings, kit.program, '--version']);
    return kit;
  });
}

function installed(name: string): ShellKit | undefined {
  const program = programPath(name);
  return program === undefined ? undefined : { program, environment: {}, prelude: '' };
}

async function fetched(name: string): Promise<ShellKit> {
  const packages = PACKAGES[name]!;
  const root = join(cacheFolder(), `${name}-${key(process.arch, ...packages)}`);
  await provide(root, `downloading ${name} from Debian`, (folder) => unpackPackages(folder, name, packages));
  const program = [`bin/${name}`, `usr/bin/${name}`]
    .map((path) => join(root, path))
    .find((path) => existsSync(path));
  if (program === undefined) throw new Error(`Debian's package ${name} has no program ${name}`);
  const libraries = await libraryFolders(root);
  const prelude = name === 'zsh' ? zshPaths(root, libraries) : '';
  return { program, environment: { LD_LIBRARY_PATH: libraries.join(':') }, prelude };
}

/** Where an unpacked zsh has its modules and functions. */
function zshPaths(root: string, libraries: readonly string[]): string {
  const modules = libraries.map((folder) => join(folder, 'zsh')).find((folder) => existsSync(folder));
  if (modules === undefined) throw new Error("Debian's package zsh has no modules");
  const [version] = readdirSync(modules);
  const functions = join(root, 'usr/share/zsh/functions');
  return `module_path=('${join(modules, version!)}')\nfpath=('${functions}' '${functions}'/**/*(/N))\n`;
}
