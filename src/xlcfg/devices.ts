/** `usbdev = [ "SPEC", ... ]` (xl.cfg(5)). */
import { PORTS_MAX } from '../libxl/controller-type.js';
import { quoted, XlCfgError } from './errors.js';
import { type ControllerSetting, type DeviceSetting, type Placed, portsOf } from './model.js';
import { readChoice, readNumber } from './number.js';
import type { XlCfgSettings } from './parser.js';
import { type Spec, specsOf } from './spec.js';

const KEYS = ['type', 'hostbus', 'hostaddr', 'controller', 'port'] as const;
const HOSTBUS = { min: 1, max: 255, isOctalToXl: true };
const HOSTADDR = { min: 1, max: 127, isOctalToXl: true };
const CONTROLLER = { min: 0, max: 0xffff };
const PORT = { min: 1, max: PORTS_MAX };

type DeviceSpec = Spec<(typeof KEYS)[number]>;

/**
 * The devices of a file, which has these controllers.
 *
 * @throws {XlCfgError} of a USB setting; `port-without-controller`, `no-such-controller`, `no-such-port`, `port-taken`,
 *   `device-twice`
 */
export function readDevices(
  settings: XlCfgSettings,
  controllers: readonly ControllerSetting[],
): Placed<DeviceSetting>[] {
  /** The lines of what was seen so far: a port as `controller:port`, a device as `hostbus-hostaddr`. */
  const lines = new Map<string, number>();
  return specsOf(settings, 'usbdev', KEYS).map((spec) => {
    const device = readDevice(spec);
    checkPlace(device, spec, controllers);
    checkAlone(device, spec, lines);
    return device;
  });
}

function readDevice({ position, values }: DeviceSpec): Placed<DeviceSetting> {
  const type = values.get('type');
  if (type && type.untrustedText.toLowerCase() !== 'hostdev') {
    const sentence = `There is no device type ${quoted(type.untrustedText)}, only hostdev.`;
    type.refuse('bad-type', sentence);
  }
  const [hostbus, hostaddr] = [values.get('hostbus'), values.get('hostaddr')];
  if (!hostbus || !hostaddr) {
    throw new XlCfgError('missing-key', position, 'A device is named by hostbus=N and hostaddr=N.');
  }
  const controller = values.get('controller');
  const port = values.get('port');
  return {
    hostbus: readNumber('hostbus', hostbus, HOSTBUS),
    hostaddr: readNumber('hostaddr', hostaddr, HOSTADDR),
    controller: controller && readNumber('controller', controller, CONTROLLER),
    // 0 means any port, as for xl.
    port: port && readChoice('port', port, PORT),
    position,
  };
}

/** Whether the controller and port exist. */
function checkPlace(
  { controller, port }: DeviceSetting,
  { values }: DeviceSpec,
  controllers: readonly ControllerSetting[],
): void {
  const portValue = values.get('port');
  if (controller === undefined) {
    if (port !== undefined) {
      portValue!.refuse(
        'port-without-controller',
        `port=${port} needs the controller that has it: controller=N.`,
      );
    }
    return;
  }
  const setting = controllers[controller];
  if (!setting) {
    const has = ['has no controllers', 'has controller 0 only'][controllers.length];
    const sentence = `There is no controller ${controller}: usbctrl ${has ?? `has 0 to ${controllers.length - 1}`}.`;
    values.get('controller')!.refuse('no-such-controller', sentence);
    return;
  }
  if (port !== undefined && port > portsOf(setting)) {
    const sentence = `There is no port ${port}: controller ${controller} has ${portsOf(setting)}.`;
    portValue!.refuse('no-such-port', sentence);
  }
}

/** Whether no device before this one is the same or has the same port. */
function checkAlone(
  { hostbus, hostaddr, controller, port, position }: Placed<DeviceSetting>,
  { values }: DeviceSpec,
  lines: Map<string, number>,
): void {
  const claim = (key: string, refuse: (line: number) => never): void => {
    const line = lines.get(key);
    if (line !== undefined) refuse(line);
    lines.set(key, position.line);
  };
  claim(`${hostbus}-${hostaddr}`, (line) => {
    const sentence = `hostbus=${hostbus},hostaddr=${hostaddr} is already in the list, in line ${line}.`;
    return values.get('hostbus')!.refuse('device-twice', sentence);
  });
  if (port === undefined) return;
  claim(`${controller}:${port}`, (line) => {
    const sentence = `Port ${port} of controller ${controller} already has the device from line ${line}.`;
    return values.get('port')!.refuse('port-taken', sentence);
  });
}
