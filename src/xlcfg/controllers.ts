/** `usbctrl = [ "SPEC", ... ]` (xl.cfg(5)). */
import {
  CONTROLLER_TYPES,
  type ControllerType,
  PORTS_MAX,
  USUAL_VERSION,
  VERSION_MAX,
} from '../libxl/controller-type.js';
import { quoted } from './errors.js';
import { type ControllerSetting, limitsOf, type Placed } from './model.js';
import { readNumber } from './number.js';
import type { XlCfgSettings } from './parser.js';
import { type Spec, type SpecValue, specsOf } from './spec.js';

const KEYS = ['type', 'version', 'ports'] as const;
const TYPES = ['auto', ...CONTROLLER_TYPES] as const;
const VERSION = { min: 1, max: VERSION_MAX };
const PORTS = { min: 1, max: PORTS_MAX };

/**
 * The controllers of a file.
 *
 * @throws {XlCfgError} of a USB setting; `impossible-controller` for a version or number of ports that the type
 *   does not have
 */
export function readControllers(settings: XlCfgSettings): Placed<ControllerSetting>[] {
  return specsOf(settings, 'usbctrl', KEYS).map(readController);
}

function readController({ position, values }: Spec<(typeof KEYS)[number]>): Placed<ControllerSetting> {
  const [typeValue, versionValue, portsValue] = KEYS.map((key) => values.get(key));
  const type = typeValue && readType(typeValue);
  const version = versionValue && readNumber('version', versionValue, VERSION);
  const ports = portsValue && readNumber('ports', portsValue, PORTS);
  const ofType = limitsOf(type);
  const limits = ofType[version ?? USUAL_VERSION];
  if (!limits) {
    const has = Object.keys(ofType).join(', ');
    const sentence = `Type ${type} does not support USB version ${version}, only ${has}.`;
    return versionValue!.refuse('impossible-controller', sentence);
  }
  if (ports !== undefined && (ports < limits.min || ports > limits.max)) {
    const range =
      limits.min === limits.max ? `always has ${limits.min}` : `has ${limits.min} to ${limits.max}`;
    const kind = `a controller of type ${type ?? 'auto'}, USB ${version ?? USUAL_VERSION}, ${range}`;
    portsValue!.refuse('impossible-controller', `${ports} ports are not possible: ${kind}.`);
  }
  return { type, version, ports, position };
}

/** In upper or lower case, as for xl; blanks around it are part of it. */
function readType(value: SpecValue): ControllerType | undefined {
  const type = TYPES.find((known) => known === value.untrustedText.toLowerCase());
  if (type !== undefined) return type === 'auto' ? undefined : type;
  const sentence = `There is no controller type ${quoted(value.untrustedText)}: ${TYPES.join(', ')}.`;
  return value.refuse('bad-type', sentence);
}
