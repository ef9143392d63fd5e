/** The shells that completion is for. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Tool, toolOrSkip } from '../support/debian-tool.js';

/** A shell, and what it starts with. */
interface Shell extends Tool {
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
export async function shellOrSkip(name: string): Promise<Shell | undefined> {
  const tool = await toolOrSkip({ name, packages: PACKAGES[name]!, check: ['--version'] });
  return tool && { ...tool, prelude: name === 'zsh' ? zshPaths(tool) : '' };
}

/** Where an unpacked zsh has its modules and functions. */
function zshPaths({ unpacked }: Tool): string {
  if (!unpacked) return '';
  const modules = join(unpacked.libraries, 'zsh');
  const [version] = readdirSync(modules);
  const functions = join(unpacked.root, 'usr/share/zsh/functions');
  return `module_path=('${join(modules, version!)}')\nfpath=('${functions}' '${functions}'/**/*(/N))\n`;
}
