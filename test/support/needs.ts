/** What some tests need from the machine, and what happens to them if it is missing. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Something that was found, or why what needs it is skipped. */
export type Found<T> =
  | { readonly found: T; readonly skip: false }
  | { readonly found: undefined; readonly skip: string };

/**
 * Gets what `tests` need. If that fails they are skipped, and a line says so at once: which, why, and what to install
 * (`toInstall`). With `CI=true` it is an error instead, so that no build server passes without them.
 */
export async function orSkip<T>(
  tests: string,
  toInstall: string,
  get: () => T | Promise<T>,
): Promise<Found<T>> {
  try {
    return { found: await get(), skip: false };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const skip = `${why}; to run them, install ${toInstall}`;
    if (process.env.CI === 'true') throw new Error(`${tests} cannot be tested: ${skip}`, { cause: error });
    report(`SKIPPED: ${tests}: ${skip}`);
    return { found: undefined, skip };
  }
}

/** Where a program is on the machine; undefined when it is not installed. */
export function programPath(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/** The first of these programs that the machine has. @throws {Error} when it has none */
export function programOf(...names: readonly string[]): string {
  const path = names.map(programPath).find((found) => found !== undefined);
  if (path === undefined) throw new Error(`there is no ${names.join(', and no ')}`);
  return path;
}

/** Tells whoever runs the tests. */
export function report(line: string): void {
  process.stderr.write(`pvusb tests: ${line}\n`);
}
