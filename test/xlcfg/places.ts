/** USB settings without their places. */
import type { PlacedUsbSettings, UsbSettings } from '../../src/xlcfg/index.js';

/** The same settings, to be compared with settings from another place. */
export function withoutPlaces({ controllers, devices }: PlacedUsbSettings): UsbSettings {
  return {
    controllers: controllers.map(({ position: _position, ...controller }) => controller),
    devices: devices.map(({ position: _position, ...device }) => device),
  };
}
