/** A file that says which USB controllers and devices a guest has: xl.cfg, or libxl's JSON. */
import { readFile } from 'node:fs/promises';
import { PvusbError } from '../pvusb/errors.js';
import { parseLibxlUsb } from '../pvusb/libxl-json.js';
import type { WantedUsb } from '../pvusb/plan-apply.js';
import { type Position, parseUsbSettings, parseXlCfg, unquote, XlCfgError } from '../xlcfg/index.js';

/** What a file says. */
export interface SettingsFile {
  /** The guest's name, when the file has it. */
  readonly name?: string | undefined;
  readonly usb: WantedUsb;
}

/**
 * Reads a file; of several domains in it the one of this number or name.
 *
 * @throws {PvusbError} `invalid-configuration`, with line and column where there are some
 */
export async function readSettingsFile(path: string, domain?: string): Promise<SettingsFile> {
  const bytes = await read(path);
  const text = bytes.toString('utf8');
  if (/^\s*[[{]/.test(text)) return { usb: parseLibxlUsb(text, domain) };
  try {
    return { name: nameOf(bytes), usb: wantedBy(path, bytes) };
  } catch (error) {
    if (!(error instanceof XlCfgError)) throw error;
    const sentence = `${place(path, error)}: ${error.message}`;
    throw new PvusbError('invalid-configuration', sentence, { cause: error });
  }
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new PvusbError('invalid-configuration', `${path} cannot be read: ${why}.`, { cause: error });
  }
}

function place(path: string, { line, column }: Position): string {
  return `${path}:${line}:${column}`;
}

function nameOf(bytes: Buffer): string | undefined {
  const value = parseXlCfg(bytes).get('name');
  return value?.kind === 'scalar'
    ? value.parts.map((part) => unquote(part).untrustedText).join('')
    : undefined;
}

/** xl counts controllers by their place in the list. */
function wantedBy(path: string, bytes: Buffer): WantedUsb {
  const { controllers, devices } = parseUsbSettings(bytes);
  return {
    controllers: controllers.map(({ type, version, ports, position }, devid) => {
      return { devid, type, version, ports, said: place(path, position) };
    }),
    devices: devices.map(({ hostbus, hostaddr, controller, port, position }) => {
      const device = `${hostbus}.${hostaddr}`;
      return { device, devid: controller, port, said: place(path, position) };
    }),
  };
}
