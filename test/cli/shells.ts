/** The shells that completion is for: the machine's own, else Debian's, unpacked into the cache and never installed. */
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheFolder, key, provide, report, run, unpackPackages } from '../xenstored/fetch.js';

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

/** A shell that starts, or undefined, loudly; an error where the environment says `CI=true`. */
export async function shellOrSkip(name: string): Promise<ShellKit | undefined> {
  try {
    const kit = installed(name) ?? (await fetched(name));
    const settings = Object.entries(kit.environment).map(([variable, value]) => `${variable}=${value}`);
    await run('env', [...settings, kit.program, '--version']);
    return kit;
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    report(`SKIPPING THE COMPLETION OF ${name.toUpperCase()}: ${String(error).toUpperCase()}`);
    return undefined;
  }
}

function installed(name: string): ShellKit | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const program = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
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
  const triplet = (await run('gcc', ['-print-multiarch'])).trim();
  const libraries = ['lib', 'usr/lib'].map((folder) => join(root, folder, triplet));
  const prelude = name === 'zsh' ? zshPaths(root, join(root, 'usr/lib', triplet)) : '';
  return { program, environment: { LD_LIBRARY_PATH: libraries.join(':') }, prelude };
}

/** Where an unpacked zsh has its modules and functions. */
function zshPaths(root: string, libraries: string): string {
  const [version] = readdirSync(join(libraries, 'zsh'));
  const functions = join(root, 'usr/share/zsh/functions');
  return `module_path=('${join(libraries, 'zsh', version!)}')\nfpath=('${functions}' '${functions}'/**/*(/N))\n`;
}
