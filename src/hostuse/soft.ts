/** Reading what may not be there: other kernels, other modules, processes that end, devices that are pulled out. */

import type { HostFiles } from './files.js';
import { resolveLink } from './owner.js';

/** A file's text; empty when it cannot be read. */
export function textAt(files: HostFiles, path: string): Promise<string> {
  return files.readText(path).catch(() => '');
}

/** A file's text without its newline; undefined when it cannot be read. */
export async function valueAt(files: HostFiles, path: string): Promise<string | undefined> {
  const text = await files.readText(path).catch(() => undefined);
  return text?.replace(/\n$/, '');
}

/** The names in a folder; none when it cannot be read. */
export function namesIn(files: HostFiles, path: string): Promise<readonly string[]> {
  return files.list(path).catch(() => []);
}

/** Where a link leads, as a path below the same root; undefined when it is no link. */
export async function linkAt(files: HostFiles, path: string): Promise<string | undefined> {
  const target = await files.readLink(path).catch(() => undefined);
  return target === undefined ? undefined : resolveLink(path, target);
}

/** The folders of everything in a class, or of these of it, by name. */
export async function classPaths(
  files: HostFiles,
  name: string,
  only?: readonly string[],
): Promise<Map<string, string>> {
  const folder = `sys/class/${name}`;
  const names = only ?? (await namesIn(files, folder));
  const paths = await Promise.all(names.map((entry) => linkAt(files, `${folder}/${entry}`)));
  return new Map(names.flatMap((entry, i) => (paths[i] === undefined ? [] : [[entry, paths[i]] as const])));
}

/** Reads a thing, then those that it names, and so on, each once. */
export async function closure<T>(
  first: readonly string[],
  read: (name: string) => Promise<T | undefined>,
  next: (thing: T) => readonly string[],
): Promise<Map<string, T>> {
  const found = new Map<string, T>();
  for (let names = first; names.length > 0; ) {
    const fresh = [...new Set(names)].filter((name) => !found.has(name));
    const things = await Promise.all(fresh.map(read));
    const known = fresh.flatMap((name, i) => {
      const thing = things[i];
      return thing === undefined ? [] : [[name, thing] as const];
    });
    for (const [name, thing] of known) found.set(name, thing);
    names = known.flatMap(([, thing]) => next(thing));
  }
  return found;
}
