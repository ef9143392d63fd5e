/** The two USB settings of an xl.cfg file. */
import { readControllers } from './controllers.js';
import { readDevices } from './devices.js';
import type { PlacedUsbSettings } from './model.js';
import { parseXlCfg, type XlCfgSettings } from './parser.js';

/**
 * Reads `usbctrl` and `usbdev` of a whole file; the other settings only have to be well-formed. Every key is in the
 * result, undefined where the file leaves it to xl (`type=auto` and `port=0` too).
 *
 * @throws {XlCfgError} for anything that xl.cfg(5) does not allow, or that xl would misread
 */
export function parseUsbSettings(untrustedText: string | Uint8Array): PlacedUsbSettings {
  return readUsbSettings(parseXlCfg(untrustedText));
}

/**
 * The same for a file that is already parsed, for callers that also need its other settings.
 *
 * @throws {XlCfgError} as {@link parseUsbSettings}, except for the file and its syntax
 */
export function readUsbSettings(settings: XlCfgSettings): PlacedUsbSettings {
  const controllers = readControllers(settings);
  return { controllers, devices: readDevices(settings, controllers) };
}
