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
  if (/^\s*[[{]/.test(text)) return { usb: { ...parseLibxlUsb(text, domain), said: path }, notes: [] };
  try {
    const notes: string[] = [];
    const settings = parseXlCfg(bytes, (warning) =>
      notes.push(`${place(path, warning)}: ${warning.message}`),
    );
    notes.push(...unhandledIn(path, settings));
    return { usb: wantedBy(path, settings), notes };
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

function nameOf(settings: XlCfgSettings): string | undefined {
  const value = settings.get('name');
  return value?.kind === 'scalar'
    ? value.parts.map((part) => unquote(part).untrustedText).join('')
    : undefined;
}

/** xl numbers controllers by their position in the list. */
function wantedBy(path: string, settings: XlCfgSettings): WantedUsb {
  const usb = readUsbSettings(settings);
  const controllers = usb.controllers.map(({ type, version, ports, position }, devid) => {
    return { devid, type, version, ports, said: place(path, position) };
  });
  const devices = usb.devices.map(({ hostbus, hostaddr, controller, port, position }) => {
    const device = `${hostbus}.${hostaddr}`;
    return { device, devid: controller, port, said: place(path, position) };
  });
  return {
    name: nameOf(settings),
    controllers: settings.has('usbctrl') ? controllers : undefined,
    devices: settings.has('usbdev') ? devices : undefined,
    said: path,
  };
}

/** Settings of the USB that the QEMU of an HVM guest has from its start on (xl.cfg(5)). */
const OF_QEMU = ['usb', 'usbversion', 'usbdevice'];

/** What a file says of USB and is not handled: told when it says nothing else, and when it names devices of the host. */
function unhandledIn(path: string, settings: XlCfgSettings): string[] {
  const value = settings.get('usbdevice');
  const items = value?.kind === 'list' ? value.items : value ? [value] : [];
  const isOfHost = items.some(
    (item) => item.kind === 'scalar' && /^.host:/.test(item.parts[0]!.untrustedText),
  );
  const isSilent = !settings.has('usbctrl') && !settings.has('usbdev');
  return OF_QEMU.flatMap((name) => {
    const setting = settings.get(name);
    if (!setting || !(isSilent || (isOfHost && name === 'usbdevice'))) return [];
    const sentence = `${name} is not handled: it is for the QEMU of an HVM guest, when the guest starts.`;
    return [`${place(path, setting.position)}: ${sentence}`];
  });
}
