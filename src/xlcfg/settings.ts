/** The two USB settings of an xl.cfg file. */
import { readControllers } from './controllers.js';
import { readDevices } from './devices.js';
import type { PlacedUsbSettings } from './model.js';
import { parseXlCfg } from './parser.js';

/**
 * Reads `usbctrl` and `usbdev` of a whole file; the other settings only have to be settings. Every key is in the
 * result, undefined where the file leaves it to xl (`type=auto` and `port=0` too).
 *
 * @throws {XlCfgError} for anything that xl.cfg(5) does not have, or that xl would misunderstand
 */
export function parseUsbSettings(untrustedText: string | Uint8Array): PlacedUsbSettings {
  const settings = parseXlCfg(untrustedText);
  const controllers = readControllers(settings);
  return { controllers, devices: readDevices(settings, controllers) };
}
