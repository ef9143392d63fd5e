/** The shells that completion is for. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Tool, toolOrSkip } from '../support/debian-tool.js';
import type { Found } from '../support/needs.js';

/** A shell, and what it starts with. */
interface Shell extends Tool {
  /** What an interactive shell needs first, in its own language. */
  readonly prelude: string;
}

/** A shell's packages: itself, its functions and the libraries that not every Debian has. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  bash: ['bash', 'libtinfo6'],
  zsh: ['zsh', 'zsh-common', 'libcap2', 'libtinfo6'],
  fish: ['fish', 'fish-common', 'libpcre2-32-0', 'libtinfo6'],
};

/** A shell that starts, or why its tests are skipped; with `CI=true` a missing one is an error. */
export async function shellOrSkip(name: string): Promise<Found<Shell>> {
  const tool = await toolOrSkip({ name, packages: PACKAGES[name]!, check: ['--version'] });
  if (tool.skip !== false) return tool;
  return { found: { ...tool.found, prelude: name === 'zsh' ? zshPaths(tool.found) : '' }, skip: false };
}

/** Where an unpacked zsh has its modules and functions. */
function zshPaths({ unpacked }: Tool): string {
  if (!unpacked) return '';
  const modules = unpacked.libraries
    .map((folder) => join(folder, 'zsh'))
    .find((folder) => existsSync(folder));
  if (modules === undefined) throw new Error("Debian's package zsh has no modules");
  const [version] = readdirSync(modules);
  const functions = join(unpacked.root, 'usr/share/zsh/functions');
  return `module_path=('${join(modules, version!)}')\nfpath=('${functions}' '${functions}'/**/*(/N))\n`;
}
