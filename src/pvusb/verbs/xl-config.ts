/** What the text of an xl.cfg file says about a guest's USB. */

import {
  type Position,
  parseXlCfg,
  readUsbSettings,
  unquote,
  XlCfgError,
  type XlCfgSettings,
} from '../../xlcfg/index.js';
import { PvusbError } from '../model/errors.js';
import type { WantedUsb } from '../plan/wanted.js';

/** What a configuration file says. */
export interface XlConfig {
  /** For `applyUsb` and `prepareDomain`. */
  readonly usb: WantedUsb;
  /** What people should know about it, one sentence each: what xl itself would not read, what is not handled. */
  readonly notes: readonly string[];
}

/**
 * Parses the text of an xl.cfg file. `path` is used to name places in it: `u1.cfg:3:12`.
 *
 * @throws {PvusbError} `invalid-configuration`, with line and column
 */
export function parseXlConfig(untrusted: string | Uint8Array, path = 'the configuration'): XlConfig {
  try {
    const notes: string[] = [];
    const settings = parseXlCfg(untrusted, (warning) =>
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

/** Settings for the USB that an HVM guest's QEMU has from the start (xl.cfg(5)). */
const OF_QEMU = ['usb', 'usbversion', 'usbdevice'];

/** What a file says about USB that is not handled: reported if it says nothing else, and if it names host devices. */
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
