/** A file that says which USB controllers and devices a guest has: xl.cfg, or libxl's JSON. */
import { readFile } from 'node:fs/promises';
import { PvusbError, parseLibxlUsb, type WantedUsb } from '../pvusb/index.js';
import {
  type Position,
  parseXlCfg,
  readUsbSettings,
  unquote,
  XlCfgError,
  type XlCfgSettings,
} from '../xlcfg/index.js';

/** What a file says. */
interface SettingsFile {
  /** The guest's name, when the file has it. */
  readonly name?: string | undefined;
  readonly usb: WantedUsb;
  /** What people should know of it, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Reads a file; of several domains in it, the one with this number or name.
 *
 * @throws {PvusbError} `invalid-configuration`, with line and column where known
 */
export async function readSettingsFile(path: string, domain?: string): Promise<SettingsFile> {
  const bytes = await read(path);
  const text = bytes.toString('utf8');
  if (/^\s*[[{]/.test(text)) return { usb: parseLibxlUsb(text, domain), name: nameInJson(text), notes: [] };
  try {
    const notes: string[] = [];
    const settings = parseXlCfg(bytes, (warning) =>
      notes.push(`${place(path, warning)}: ${warning.message}`),
    );
    return { name: nameOf(settings), usb: wantedBy(path, settings), notes };
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

/** The domain's name in libxl's JSON; undefined if there are several, since it is not known which is meant. */
function nameInJson(text: string): string | undefined {
  // libxl's file ends with a NUL.
  const value: unknown = JSON.parse(text.replace(/\0$/, ''));
  const entry = Array.isArray(value) && value.length === 1 ? memberOf(value, 0) : value;
  const name = memberOf(memberOf(memberOf(entry, 'config') ?? entry, 'c_info'), 'name');
  return typeof name === 'string' ? name : undefined;
}

function memberOf(value: unknown, key: string | number): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

function nameOf(settings: XlCfgSettings): string | undefined {
  const value = settings.get('name');
  return value?.kind === 'scalar'
    ? value.parts.map((part) => unquote(part).untrustedText).join('')
    : undefined;
}

/** xl numbers controllers by their position in the list. */
function wantedBy(path: string, settings: XlCfgSettings): WantedUsb {
  const { controllers, devices } = readUsbSettings(settings);
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
