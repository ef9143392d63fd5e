/** A file that says which USB controllers and devices a guest has: xl.cfg, or libxl's JSON. */
import { readFile } from 'node:fs/promises';
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
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new PvusbError('invalid-configuration', `${path} cannot be read: ${why}.`, { cause: error });
  }
}
