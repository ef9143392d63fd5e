/** A file that says which USB controllers and devices a guest has: xl.cfg, or libxl's JSON. */
import { readFile, stat } from 'node:fs/promises';
import { parseSettings } from '../commands/index.js';
import { PvusbError, type XlConfig } from '../pvusb/index.js';

/**
 * Reads a file; of several domains in it, the one with this number or name.
 *
 * @throws {PvusbError} `invalid-configuration`, with line and column where known
 */
export async function readSettingsFile(path: string, domain?: string): Promise<XlConfig> {
  return parseSettings(await readBytes(path), path, domain);
}

/** Reads any file. @throws {PvusbError} `invalid-configuration` */
export async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const why = codeOf(error);
    if (why === 'ENOENT') {
      const remedy = 'Check the name of the file.';
      throw new PvusbError('invalid-configuration', `There is no file ${path}.`, { cause: error, remedy });
    }
    const remedy = 'Check that it is a file, and that you may read it.';
    throw new PvusbError('invalid-configuration', `${path} cannot be read: ${why}.`, {
      cause: error,
      remedy,
    });
  }
}

/**
 * Makes sure that a folder named on the command line is one: a misspelt one, or a file, would look like an empty one.
 *
 * @throws {PvusbError} `invalid-configuration`
 */
export async function requireFolder(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => codeOf(error));
  const remedy = 'Check the name of the folder.';
  if (typeof found !== 'string' && !found.isDirectory())
    throw new PvusbError('invalid-configuration', `${path} is not a folder.`, { remedy });
  // What exists, but cannot be used, is refused by whoever reads it, with the reason.
  if (found !== 'ENOENT') return;
  throw new PvusbError('invalid-configuration', `There is no folder ${path}.`, { remedy });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
