/** What a quiesced guest had, and is to get back: plain data, as it is kept in a file. */
import { type ControllerType, isControllerType } from '../libxl/controller-type.js';
import { type Busid, parseDeviceName } from '../sysfs/index.js';

/** A controller of the guest. */
export interface QuiescedController {
  readonly devid: number;
  readonly type: ControllerType;
  readonly version: number;
  readonly ports: number;
}

/** A device of the guest, and the port that it was in. */
export interface QuiescedDevice {
  readonly busid: Busid;
  readonly identity: string;
  /** Its socket, which keeps its name when bus numbers change. */
  readonly socket?: string | undefined;
  readonly devid: number;
  readonly port: number;
}

/** A quiesced guest. */
export interface QuiescedGuest {
  readonly token: string;
  /** UTC, as `Date.toISOString` has it. */
  readonly time: string;
  readonly domid: number;
  readonly name?: string | undefined;
  readonly uuid?: string | undefined;
  /** It was restored, but not completely: rules apply to it again. */
  readonly isIncomplete: boolean;
  readonly controllers: readonly QuiescedController[];
  /** What it did not get back. */
  readonly devices: readonly QuiescedDevice[];
}

const FORMAT = 'pvusb-quiesced-1';
const TOKEN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const NAME_MAX = 24;

/** Whether this can be a token: it is a file's name, too. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** A guest's token, always the same one: so it cannot be quiesced twice. */
export function tokenFor({ domid, name = '', uuid }: Pick<QuiescedGuest, 'domid' | 'name' | 'uuid'>): string {
  const readable = name
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^[-_]+|-+$/g, '')
    .slice(0, NAME_MAX);
  // Loaded when it is first used: most commands do without.
  const id = process
    .getBuiltinModule('node:crypto')
    .createHash('sha256')
    .update(uuid ?? `${domid} ${name}`)
    .digest('hex')
    .slice(0, 6);
  return `${readable || 'guest'}-${id}`;
}

/** As it is written into a file. */
export function formatQuiesced(guest: QuiescedGuest): string {
  return `${JSON.stringify({ format: FORMAT, ...guest }, null, 2)}\n`;
}

/** What is in a file; undefined if it is not what {@link formatQuiesced} writes. */
export function parseQuiesced(untrustedText: string, token: string): QuiescedGuest | undefined {
  try {
    const read = JSON.parse(untrustedText) as Readonly<Record<string, unknown>>;
    const { time, domid, name, uuid, isIncomplete } = read;
    const [controllers, devices] = [listOf(read.controllers, toController), listOf(read.devices, toDevice)];
    if (read.format !== FORMAT || !isNumber(domid) || typeof time !== 'string') return undefined;
    if (typeof isIncomplete !== 'boolean' || !controllers || !devices) return undefined;
    if (!isTextOrNothing(name) || !isTextOrNothing(uuid)) return undefined;
    return { token, time, domid, name, uuid, isIncomplete, controllers, devices };
  } catch {
    return undefined;
  }
}

function toController(untrusted: Readonly<Record<string, unknown>>): QuiescedController | undefined {
  const { devid, type, version, ports } = untrusted;
  const isGood = isNumber(devid) && isNumber(version) && isNumber(ports) && typeof type === 'string';
  return isGood && isControllerType(type) ? { devid, type, version, ports } : undefined;
}

function toDevice(untrusted: Readonly<Record<string, unknown>>): QuiescedDevice | undefined {
  const { busid: name, identity, socket, devid, port } = untrusted;
  const busid = typeof name === 'string' ? parseDeviceName(name) : undefined;
  if (!busid || typeof identity !== 'string' || !isNumber(devid) || !isNumber(port)) return undefined;
  return isTextOrNothing(socket) ? { busid, identity, socket, devid, port } : undefined;
}

function listOf<T>(
  untrusted: unknown,
  parse: (one: Readonly<Record<string, unknown>>) => T | undefined,
): T[] | undefined {
  if (!Array.isArray(untrusted)) return undefined;
  const parsed = untrusted.map((one: unknown) =>
    typeof one === 'object' && one !== null ? parse(one as Readonly<Record<string, unknown>>) : undefined,
  );
  return parsed.some((one) => one === undefined) ? undefined : (parsed as T[]);
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTextOrNothing(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}
