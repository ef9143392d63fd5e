/** A file that says which USB controllers and devices a guest has: xl.cfg, or libxl's JSON. */
import { readFile } from 'node:fs/promises';
import { PvusbError, parseLibxlUsb, parseXlConfig, type XlConfig } from '../pvusb/index.js';

/**
 * Reads a file; of several domains in it, the one with this number or name.
 *
 * @throws {PvusbError} `invalid-configuration`, with line and column where known
 */
export async function readSettingsFile(path: string, domain?: string): Promise<XlConfig> {
  const bytes = await read(path);
  const text = bytes.toString('utf8');
  if (/^\s*[[{]/.test(text)) return { usb: { ...parseLibxlUsb(text, domain), said: path }, notes: [] };
  return parseXlConfig(bytes, path);
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new PvusbError('invalid-configuration', `${path} cannot be read: ${why}.`, { cause: error });
  }
}
