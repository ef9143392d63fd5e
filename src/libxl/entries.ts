/**
 * The entries of `usbctrls` and `usbdevs`, as libxl writes them (libxl 4.17: libxl_device_usbctrl and
 * libxl_device_usbdev). A field that has its default value is left out; the order is fixed.
 */
import { CONTROLLER_TYPES, type ControllerType } from './controller-type.js';
import {
  type Container,
  integerOf,
  type Member,
  malformedAt,
  objectAt,
  type Span,
  stringOf,
} from './json-scan.js';
import type { Written, WrittenMember } from './json-splice.js';

/** Who serves a controller; `auto` when libxl was left to choose and has not written what it chose. */
export type SavedControllerType = 'auto' | ControllerType;

/** A controller in a domain's configuration. What is undefined is left out of the file. */
export interface SavedController {
  /** The controller's number; -1 when libxl was left to choose it. */
  readonly devid: number;
  readonly type: SavedControllerType;
  /** The USB version: 1, 2 or 3. */
  readonly version?: number | undefined;
  readonly ports?: number | undefined;
  /** The domain that serves it, when that is not the host's own. */
  readonly backendDomid?: number | undefined;
  readonly backendDomname?: string | undefined;
}

/** A device in a domain's configuration. */
export interface SavedDevice {
  /** The number of its controller; -1 when libxl was left to choose it. */
  readonly ctrl: number;
  /** Its port, from 1; 0 when libxl was left to choose it. */
  readonly port: number;
  /** The host's bus that it is on; without it the entry does not name a device. */
  readonly hostbus?: number | undefined;
  /** Its address on that bus. */
  readonly hostaddr?: number | undefined;
}

/** An entry of the file: what we know about it, and how to write another in its place. */
export interface Entry<Value> extends Span {
  readonly value: Value;
  /** Members that we know nothing about. They stay with the entry's number or port. */
  readonly unknown: readonly WrittenMember[];
  /** The same, inside `type.hostdev`. */
  readonly unknownOfHost: readonly WrittenMember[];
}

const TYPES: readonly SavedControllerType[] = ['auto', ...CONTROLLER_TYPES];
const INT_MAX = 0x7fff_ffff;

/** The integer fields: what they may be, and what libxl leaves out. */
const INTEGERS = {
  devid: { least: -1, most: INT_MAX, usual: -1 },
  ctrl: { least: -1, most: INT_MAX, usual: -1 },
  port: { least: 0, most: INT_MAX, usual: 0 },
  version: { least: 0, most: INT_MAX, usual: 0 },
  ports: { least: 0, most: INT_MAX, usual: 0 },
  hostbus: { least: 0, most: 255, usual: 0 },
  hostaddr: { least: 0, most: 255, usual: 0 },
  backend_domid: { least: 0, most: 0xffff_ffff, usual: 0 },
} as const;

type IntegerField = keyof typeof INTEGERS;

const HOST = 'type.hostdev';
const CONTROLLER_FIELDS = ['type', 'devid', 'version', 'ports', 'backend_domid', 'backend_domname'];
const DEVICE_FIELDS = ['ctrl', 'port', HOST];
const HOST_FIELDS = ['hostbus', 'hostaddr'];

/** The members of one entry; each known one occurs at most once. */
class Fields {
  readonly #text: string;
  readonly #known = new Map<string, Member>();
  readonly unknown: WrittenMember[] = [];

  constructor(text: string, object: Container<Member>, known: readonly string[]) {
    this.#text = text;
    for (const member of object.items) {
      if (!known.includes(member.key)) this.unknown.push(this.#asWritten(member));
      else if (this.#known.has(member.key)) throw malformedAt(text, member.start, 'the same field twice');
      else this.#known.set(member.key, member);
    }
  }

  /** The key with its quotes up to the value is kept too: how it looks is not ours to change. */
  #asWritten({ start, value }: Member): WrittenMember {
    const key = this.#text.slice(start, value.start).replace(/[ \t\n\r]*:[ \t\n\r]*$/, '');
    return [key, this.#text.slice(value.start, value.end)];
  }

  get(key: string): Member | undefined {
    return this.#known.get(key);
  }

  integer(key: IntegerField): number {
    const { least, most, usual } = INTEGERS[key];
    const member = this.#known.get(key);
    return member ? integerOf(this.#text, member.value, least, most) : usual;
  }

  string(key: string): string | undefined {
    const member = this.#known.get(key);
    return member && stringOf(this.#text, member.value);
  }
}

/** Reads one entry of `usbctrls`. */
export function readController(text: string, span: Span): Entry<SavedController> {
  const fields = new Fields(text, objectAt(text, span.start), CONTROLLER_FIELDS);
  const untrustedType = fields.string('type') ?? 'auto';
  const type = TYPES.find((known) => known === untrustedType);
  if (!type)
    throw malformedAt(text, fields.get('type')!.value.start, `one of ${TYPES.join(', ')} must be here`);
  const value = controllerOf({
    devid: fields.integer('devid'),
    type,
    version: fields.integer('version'),
    ports: fields.integer('ports'),
    backendDomid: fields.integer('backend_domid'),
    backendDomname: fields.string('backend_domname'),
  });
  return { ...span, value, unknown: fields.unknown, unknownOfHost: [] };
}

/** Reads one entry of `usbdevs`. */
export function readDevice(text: string, span: Span): Entry<SavedDevice> {
  const fields = new Fields(text, objectAt(text, span.start), DEVICE_FIELDS);
  const member = fields.get(HOST);
  const host = member && new Fields(text, objectAt(text, member.value.start), HOST_FIELDS);
  const value = deviceOf({
    ctrl: fields.integer('ctrl'),
    port: fields.integer('port'),
    hostbus: host?.integer('hostbus'),
    hostaddr: host?.integer('hostaddr'),
  });
  return { ...span, value, unknown: fields.unknown, unknownOfHost: host?.unknown ?? [] };
}

/**
 * The controller as it will be in the file: without fields that say nothing.
 *
 * @throws {RangeError} a number is not valid for the field
 */
export function controllerOf(controller: SavedController): SavedController {
  const { devid, type, backendDomname } = controller;
  check('devid', devid);
  if (!TYPES.includes(type)) throw new RangeError(`not a controller type: ${type}`);
  const version = telling('version', controller.version);
  const ports = telling('ports', controller.ports);
  const backendDomid = telling('backend_domid', controller.backendDomid);
  return Object.freeze({
    devid,
    type,
    ...(version !== undefined && { version }),
    ...(ports !== undefined && { ports }),
    ...(backendDomid !== undefined && { backendDomid }),
    ...(backendDomname && { backendDomname }),
  });
}

/**
 * The device as it will be in the file: without fields that say nothing.
 *
 * @throws {RangeError} a number is not valid for the field
 */
export function deviceOf(device: SavedDevice): SavedDevice {
  const { ctrl, port } = device;
  check('ctrl', ctrl);
  check('port', port);
  const hostbus = telling('hostbus', device.hostbus);
  const hostaddr = telling('hostaddr', device.hostaddr);
  return Object.freeze({
    ctrl,
    port,
    ...(hostbus !== undefined && { hostbus }),
    ...(hostaddr !== undefined && { hostaddr }),
  });
}

function check(field: IntegerField, value: number): void {
  const { least, most } = INTEGERS[field];
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${field} must be an integer from ${least} to ${most}, not ${value}`);
}

/** The value, or undefined if it is the one that libxl leaves out. */
function telling(field: IntegerField, value: number | undefined): number | undefined {
  if (value === undefined) return undefined;
  check(field, value);
  return value === INTEGERS[field].usual ? undefined : value;
}

/** A controller as libxl writes it, followed by the unknown members of the entry it replaces. */
export function writeController(controller: SavedController, old?: Entry<SavedController>): Written {
  const { devid, type, version, ports, backendDomid, backendDomname } = controller;
  return [
    ...(type === 'auto' ? [] : [written('type', type)]),
    ...integer('devid', devid),
    ...integer('version', version),
    ...integer('ports', ports),
    ...integer('backend_domid', backendDomid),
    ...(backendDomname ? [written('backend_domname', backendDomname)] : []),
    ...(old?.unknown ?? []),
  ];
}

/** A device as libxl writes it, followed by the unknown members of the entry it replaces. */
export function writeDevice(device: SavedDevice, old?: Entry<SavedDevice>): Written {
  const { ctrl, port, hostbus, hostaddr } = device;
  const host = [
    ...integer('hostbus', hostbus),
    ...integer('hostaddr', hostaddr),
    ...(old?.unknownOfHost ?? []),
  ];
  return [
    ...integer('ctrl', ctrl),
    ...integer('port', port),
    ...(host.length === 0 ? [] : [[JSON.stringify(HOST), host] as const]),
    ...(old?.unknown ?? []),
  ];
}

function written(key: string, value: string | number): WrittenMember {
  return [JSON.stringify(key), JSON.stringify(value)];
}

function integer(field: IntegerField, value: number | undefined): WrittenMember[] {
  return value === undefined || value === INTEGERS[field].usual ? [] : [written(field, value)];
}
