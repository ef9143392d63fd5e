/**
 * The grammar of xl's five USB commands. What xl accepts we accept, but not what it misreads: octal numbers,
 * numbers cut to 8 bits, trailing junk, words read as 0.
 */

import { CONTROLLER_TYPES, PORTS_MAX, VERSION_MAX } from '../../libxl/index.js';
import { type ControllerRequest, type ControllerType, PvusbError } from '../../pvusb/index.js';
import { isZero, NOT_A_NUMBER, type NumberRule, parseNumber } from '../../xlcfg/index.js';
import { orWords, quoteWord } from '../printable.js';

/** What the value of each argument is called, be it typed as xl's or as ours (`version=9`, `--usb 9`). */
const NOUNS: Readonly<Record<string, string>> = {
  version: 'USB version',
  ports: 'number of ports',
  hostbus: 'bus number',
  hostaddr: 'device number',
  controller: 'controller number',
  port: 'port number',
};

/**
 * Parses a number: decimal, or hex after 0x.
 *
 * @throws {PvusbError} `invalid-argument` for anything else, including a leading zero that xl would read as octal, and
 *   when it is out of range
 */
export function parseCount(name: string, text: string, rule: NumberRule): number {
  const number = parseNumber(text, rule);
  if (typeof number === 'number') return number;
  const noun = NOUNS[name] ?? 'number';
  const sentence =
    number === NOT_A_NUMBER
      ? `${quoteWord(text)} is not a ${noun}.`
      : `The ${noun} ${quoteWord(text)} ${number}.`;
  throw new PvusbError('invalid-argument', sentence);
}

const DEVID = { min: 0, max: 0xffff };
const PORT = { min: 1, max: PORTS_MAX };
const BUS_NUMBER = { min: 1, max: 255, isOctalToXl: true };
const DEVICE_NUMBER = { min: 1, max: 127, isOctalToXl: true };

/** `name=value` arguments, the last of a repeated name; an argument without a known name is refused. */
function parsePairs<K extends string>(
  args: readonly string[],
  keys: readonly K[],
  spec: string,
): Map<K, string> {
  const pairs = new Map<K, string>();
  for (const arg of args) {
    const [, name, value] = /^([^=]*)=(.*)$/s.exec(arg) ?? [];
    const key = keys.find((candidate) => candidate === name);
    if (key === undefined || value === undefined) {
      throw new PvusbError(
        'invalid-argument',
        `Unknown string ${quoteWord(arg)} in a ${spec} specification.`,
      );
    }
    pairs.set(key, value);
  }
  return pairs;
}

function optional<T>(value: string | undefined, parse: (text: string) => T): T | undefined {
  return value === undefined ? undefined : parse(value);
}

/** Parses `[type=TYPE] [version=N] [ports=N]`. */
export function parseControllerSpec(args: readonly string[]): ControllerRequest {
  const pairs = parsePairs(args, ['type', 'version', 'ports'], 'usbctrl');
  return {
    type: optional(pairs.get('type'), parseType),
    version: optional(pairs.get('version'), (text) =>
      parseCount('version', text, { min: 1, max: VERSION_MAX }),
    ),
    ports: optional(pairs.get('ports'), (text) => parseCount('ports', text, PORT)),
  };
}

/** Parses a controller type, in any case. */
export function parseType(text: string): ControllerType | 'auto' {
  const types = ['auto', ...CONTROLLER_TYPES] as const;
  const type = types.find((candidate) => candidate === text.toLowerCase());
  if (type) return type;
  throw new PvusbError(
    'invalid-argument',
    `A controller's type is ${orWords(types)}, not ${quoteWord(text)}.`,
  );
}

/** What `usbdev-attach` asks for. */
interface DeviceSpec {
  readonly hostbus: number;
  readonly hostaddr: number;
  readonly devid?: number | undefined;
  readonly port?: number | undefined;
}

/** Parses `hostbus=N hostaddr=N [controller=N [port=N]] [type=hostdev]`. `port=0` means any, as for xl. */
export function parseDeviceSpec(args: readonly string[]): DeviceSpec {
  const pairs = parsePairs(args, ['type', 'hostbus', 'hostaddr', 'controller', 'port'], 'usbdev');
  const type = pairs.get('type');
  if (type !== undefined && type.toLowerCase() !== 'hostdev') {
    throw new PvusbError('invalid-argument', `There is no device type ${quoteWord(type)}, only hostdev.`);
  }
  const [hostbus, hostaddr] = [pairs.get('hostbus'), pairs.get('hostaddr')];
  if (hostbus === undefined || hostaddr === undefined) {
    const missing = hostbus === undefined ? 'hostbus' : 'hostaddr';
    const sentence = `${missing}=N is missing: a device is named by hostbus=N and hostaddr=N.`;
    throw new PvusbError('invalid-argument', sentence);
  }
  const port = pairs.get('port');
  return {
    hostbus: parseCount('hostbus', hostbus, BUS_NUMBER),
    hostaddr: parseCount('hostaddr', hostaddr, DEVICE_NUMBER),
    devid: optional(pairs.get('controller'), (text) => parseCount('controller', text, DEVID)),
    port: port === undefined || isZero(port) ? undefined : parseCount('port', port, PORT),
  };
}

/** Parses the controller of `usbctrl-detach`: a plain number, or `controller=N` as the man page has it. */
export function parseDevid(text: string): number {
  return parseCount('controller', strip(text, 'controller'), DEVID);
}

/** Parses the port of `usbdev-detach`: a plain number, or `port=N`. */
export function parsePort(text: string): number {
  return parseCount('port', strip(text, 'port'), { min: 1, max: 0xffff });
}

function strip(text: string, name: string): string {
  return text.startsWith(`${name}=`) ? text.slice(name.length + 1) : text;
}
