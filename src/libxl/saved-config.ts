/** A domain's configuration as libxl stores it: JSON followed by a NUL byte. Only the USB part is ours. */
import { isUtf8 } from 'node:buffer';
import {
  controllerOf,
  deviceOf,
  type Entry,
  readController,
  readDevice,
  type SavedController,
  type SavedDevice,
  writeController,
  writeDevice,
} from './entries.js';
import { LibxlError } from './errors.js';
import {
  arrayAt,
  type Container,
  type Member,
  malformedAt,
  objectAt,
  type Span,
  skipSpace,
} from './json-scan.js';
import {
  format,
  formatArray,
  inserted,
  type Layout,
  layoutOf,
  removed,
  replaced,
  type Written,
} from './json-splice.js';

/** Largest configuration that is read, in bytes. A domain's usually has a few thousand. */
export const CONFIG_BYTES_MAX = 16 * 1024 * 1024;

/** What libxl writes after our arrays, in its order (libxl 4.17: libxl_domain_config). */
const BEHIND_DEVICES = ['on_poweroff', 'on_reboot', 'on_watchdog', 'on_crash', 'on_soft_reset'];
const BEHIND = { usbctrls: ['usbdevs', ...BEHIND_DEVICES], usbdevs: BEHIND_DEVICES };

type Key = keyof typeof BEHIND;

/** One of our two arrays in a text. */
interface Section<Value> {
  readonly array: Container<Span> | undefined;
  readonly entries: readonly Entry<Value>[];
}

/**
 * A domain's saved configuration. Immutable: a change gives a new one.
 *
 * Everything but `usbctrls` and `usbdevs` stays as it is, byte for byte. What is added looks as libxl writes it, and an
 * array that becomes empty is removed with its key, so that adding and removing gives the same bytes again. (An array
 * that was empty before is gone then too; libxl writes none.)
 */
export class SavedConfig {
  readonly #text: string;
  readonly #root: Container<Member>;
  readonly #usbctrls: Section<SavedController>;
  readonly #usbdevs: Section<SavedDevice>;

  /**
   * Reads the contents of a domain's `libxl-json` file: with or without the NUL at its end.
   *
   * @throws {LibxlError} `malformed`, with line and column; `too-large`, above {@link CONFIG_BYTES_MAX}
   */
  static parse(untrustedBytes: Buffer): SavedConfig {
    if (untrustedBytes.length > CONFIG_BYTES_MAX) throw tooLarge(untrustedBytes.length);
    return new SavedConfig(decode(untrustedBytes));
  }

  private constructor(text: string) {
    this.#text = text;
    this.#root = rootOf(text);
    this.#usbctrls = sectionOf(text, this.#root, 'usbctrls', readController);
    this.#usbdevs = sectionOf(text, this.#root, 'usbdevs', readDevice);
  }

  /** The controllers in the file's order. */
  get controllers(): readonly SavedController[] {
    return this.#usbctrls.entries.map(({ value }) => value);
  }

  /** The devices in the file's order. */
  get devices(): readonly SavedDevice[] {
    return this.#usbdevs.entries.map(({ value }) => value);
  }

  /** The file's bytes: exactly what was parsed, if nothing has been changed. */
  toBytes(): Buffer {
    return Buffer.from(this.#text, 'utf8');
  }

  /**
   * The configuration with a controller: in place of the one with its number, or after the others. The same
   * configuration if it already has this one. Fields of the old entry that we do not know stay.
   *
   * @throws {RangeError} a number is not valid for the field
   */
  withController(controller: SavedController): SavedConfig {
    const wanted = controllerOf(controller);
    return this.#with(
      'usbctrls',
      this.#usbctrls,
      ({ devid }) => devid === wanted.devid,
      ({ value }) => isSame({ ...value }, { ...wanted }),
      (old) => writeController(wanted, old),
    );
  }

  /** The configuration without the controllers with this number; devices that name it stay. */
  withoutController(devid: number): SavedConfig {
    return this.#without('usbctrls', (config) =>
      config.#usbctrls.entries.findIndex(({ value }) => value.devid === devid),
    );
  }

  /**
   * The configuration with a device: in place of the one in its port, or after the others. The same configuration if it
   * already has this one. Fields of the old entry that we do not know stay.
   *
   * @throws {RangeError} a number is not valid for the field
   */
  withDevice(device: SavedDevice): SavedConfig {
    const wanted = deviceOf(device);
    return this.#with(
      'usbdevs',
      this.#usbdevs,
      ({ ctrl, port }) => ctrl === wanted.ctrl && port === wanted.port,
      ({ value }) => isSame({ ...value }, { ...wanted }),
      (old) => writeDevice(wanted, old),
    );
  }

  /** The configuration without the devices in this port. */
  withoutDevice(ctrl: number, port: number): SavedConfig {
    return this.#without('usbdevs', (config) =>
      config.#usbdevs.entries.findIndex(({ value }) => value.ctrl === ctrl && value.port === port),
    );
  }

  #with<Value>(
    key: Key,
    { array, entries }: Section<Value>,
    isInPlace: (value: Value) => boolean,
    isWanted: (entry: Entry<Value>) => boolean,
    write: (old?: Entry<Value>) => Written,
  ): SavedConfig {
    const outer = layoutOf(this.#text, this.#root);
    const old = entries.find(({ value }) => isInPlace(value));
    if (old) {
      if (isWanted(old)) return this;
      const layout = layoutOfItems(this.#text, array!, outer);
      return new SavedConfig(replaced(this.#text, old, format(write(old), layout)));
    }
    if (array && entries.length > 0) {
      const entry = format(write(), layoutOfItems(this.#text, array, outer));
      return new SavedConfig(inserted(this.#text, array, entries.length, entry));
    }
    const whole = formatArray([write()], outer);
    if (array) return new SavedConfig(replaced(this.#text, array, whole));
    const { items } = this.#root;
    const behind = items.findIndex((member) => BEHIND[key].includes(member.key));
    const member = `${JSON.stringify(key)}:${outer ? ' ' : ''}${whole}`;
    return new SavedConfig(inserted(this.#text, this.#root, behind < 0 ? items.length : behind, member));
  }

  #without(key: Key, find: (config: SavedConfig) => number): SavedConfig {
    let rest: SavedConfig = this;
    for (let index = find(rest); index >= 0; index = find(rest)) rest = rest.#withoutEntry(key, index);
    return rest;
  }

  #withoutEntry(key: Key, index: number): SavedConfig {
    const array = (key === 'usbctrls' ? this.#usbctrls : this.#usbdevs).array!;
    if (array.items.length > 1) return new SavedConfig(removed(this.#text, array, index));
    const own = this.#root.items.findIndex((member) => member.key === key);
    return new SavedConfig(removed(this.#text, this.#root, own));
  }
}

/** The layout of an array's entries. One that begins on the line of its bracket stays on that line. */
function layoutOfItems(text: string, array: Container<Span>, outer: Layout | undefined): Layout | undefined {
  const seen = layoutOf(text, array);
  return seen && { indent: seen.indent, unit: outer?.unit ?? seen.unit };
}

function isSame(one: Readonly<Record<string, unknown>>, other: Readonly<Record<string, unknown>>): boolean {
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}

/** The error for a configuration that is too large. */
export function tooLarge(bytes: number, path?: string): LibxlError {
  const where = path === undefined ? '' : `${path}: `;
  const detail = `${where}${bytes} bytes are too many for a domain's configuration (at most ${CONFIG_BYTES_MAX})`;
  return new LibxlError('too-large', detail, path === undefined ? {} : { path });
}

/** The document's object. Its text ends at the first NUL, like a C string. */
function rootOf(text: string): Container<Member> {
  const nul = text.indexOf('\0');
  const document = nul < 0 ? text : text.slice(0, nul);
  const root = objectAt(document, skipSpace(document, 0));
  const end = skipSpace(document, root.end);
  if (end < document.length) throw malformedAt(document, end, 'something follows the configuration');
  const behind = nul < 0 ? '' : text.slice(nul);
  const foreign = behind.search(/[^\0 \t\r\n]/);
  if (foreign >= 0) throw malformedAt(text, nul + foreign, 'something follows the NUL byte');
  return root;
}

function sectionOf<Value>(
  text: string,
  root: Container<Member>,
  key: Key,
  read: (text: string, span: Span) => Entry<Value>,
): Section<Value> {
  const [own, second] = root.items.filter((member) => member.key === key);
  if (second) throw malformedAt(text, second.start, `${key} twice`);
  if (!own) return { array: undefined, entries: [] };
  const array = arrayAt(text, own.value.start);
  return { array, entries: array.items.map((span) => read(text, span)) };
}

function decode(untrustedBytes: Buffer): string {
  // The byte order mark stays a character: it must be written back, and JSON allows none.
  if (isUtf8(untrustedBytes)) return new TextDecoder('utf-8', { ignoreBOM: true }).decode(untrustedBytes);
  const good = untrustedBytes.subarray(0, validPrefix(untrustedBytes)).toString('utf8');
  throw malformedAt(good, good.length, 'this is not UTF-8');
}

/** How many bytes from the start are whole UTF-8 characters. */
function validPrefix(bytes: Buffer): number {
  let [good, bad] = [0, bytes.length];
  while (good + 1 < bad) {
    const middle = (good + bad) >> 1;
    // A character that is cut off at the end is not an error yet.
    const isGood = [0, 1, 2, 3].some((cut) => middle >= cut && isUtf8(bytes.subarray(0, middle - cut)));
    if (isGood) good = middle;
    else bad = middle;
  }
  while (good > 0 && !isUtf8(bytes.subarray(0, good))) good--;
  return good;
}
