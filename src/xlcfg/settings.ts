/** The two USB settings of an xl.cfg file. */
import { readControllers } from './controllers.js';
import { readDevices } from './devices.js';
import type { PlacedUsbSettings } from './model.js';
import { parseXlCfg, type XlCfgSettings } from './parser.js';

/**
 * Reads `usbctrl` and `usbdev` of a whole file; the other settings only have to be settings. Every key is in the
 * result, undefined where the file leaves it to xl (`type=auto` and `port=0` too).
 *
 * @throws {XlCfgError} for anything that xl.cfg(5) does not have, or that xl would misunderstand
 */
export function parseUsbSettings(untrustedText: string | Uint8Array): PlacedUsbSettings {
  return readUsbSettings(parseXlCfg(untrustedText));
}

/**
 * The same of a file that is parsed already, for whoever needs its other settings too.
 *
 * @throws {XlCfgError} as {@link parseUsbSettings}, but for the file and its syntax
 */
export function readUsbSettings(settings: XlCfgSettings): PlacedUsbSettings {
  const controllers = readControllers(settings);
  return { controllers, devices: readDevices(settings, controllers) };
}
