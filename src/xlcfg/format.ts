/** USB settings as text of an xl.cfg file. */
import type { ControllerSetting, DeviceSetting, UsbSettings } from './model.js';

/**
 * Prints `usbctrl` and `usbdev` so that `parseUsbSettings` reads the same again: a list of one item on one line, longer
 * ones with a line for each item, empty ones too (leaving a list out does not ask for nothing), and only what is not
 * undefined. Expects settings that `parseUsbSettings` could have returned: it does not look for contradictions.
 */
export function formatUsbSettings({ controllers, devices }: UsbSettings): string {
  return (
    formatList('usbctrl', controllers.map(formatController)) + formatList('usbdev', devices.map(formatDevice))
  );
}

function formatController({ type, version, ports }: ControllerSetting): string {
  return formatSpec({ type, version, ports });
}

function formatDevice({ hostbus, hostaddr, controller, port }: DeviceSetting): string {
  // The default, but written all the same: without it libxl 4.17 saves the device without bus and address, and loses
  // the guest at its next reboot (recorded).
  return formatSpec({ type: 'hostdev', hostbus, hostaddr, controller, port });
}

function formatSpec(values: Readonly<Record<string, string | number | undefined>>): string {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined);
  return `"${pairs.map(([key, value]) => `${key}=${value}`).join(',')}"`;
}

function formatList(name: string, specs: readonly string[]): string {
  if (specs.length === 0) return `${name} = [ ]\n`;
  if (specs.length === 1) return `${name} = [ ${specs[0]} ]\n`;
  return `${name} = [\n${specs.map((spec) => `  ${spec},\n`).join('')}]\n`;
}
