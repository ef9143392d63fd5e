/** The QEMU machine protocol on the wire: one JSON object per line, as QEMU's docs/interop/qmp-spec says. Pure. */
import { printable, QmpError } from './errors.js';

/** Any JSON. Integers beyond 2^53 have lost their last digits. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** The version that a QEMU reports. */
export interface QemuVersion {
  readonly major: number;
  readonly minor: number;
  readonly micro: number;
  /** The distribution's name for it, `Debian 1:7.2+dfsg-7`; often empty. */
  readonly package: string;
}

/** Something that happened in QEMU. */
export interface QmpEvent {
  /** Such as `DEVICE_DELETED`. */
  readonly name: string;
  readonly data: JsonObject;
  /** By the host's clock, milliseconds since 1970; undefined when QEMU could not read it. */
  readonly atMs: number | undefined;
}

/** An answer to a command. `id` is what the command had; undefined when QEMU could not read the command. */
export type QmpAnswer =
  | { readonly kind: 'return'; readonly id: JsonValue | undefined; readonly value: JsonValue }
  | {
      readonly kind: 'error';
      readonly id: JsonValue | undefined;
      readonly class: string;
      readonly desc: string;
    };

/** A message from QEMU. */
export type QmpMessage =
  | QmpAnswer
  | { readonly kind: 'greeting'; readonly version: QemuVersion }
  | { readonly kind: 'event'; readonly event: QmpEvent };

/** Longest line accepted, in bytes. The answer to `query-qmp-schema`, which describes everything, has 0.2 MB. */
const LINE_MAX_BYTES = 16 * 1024 * 1024;

const NEWLINE = 0x0a;

/** Turns bytes into messages, however they are split. */
export class LineDecoder {
  readonly #maxBytes: number;
  /** The beginning of a line whose end has not arrived yet. */
  #parts: Buffer[] = [];
  #partBytes = 0;

  constructor(maxBytes: number = LINE_MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes the next bytes, and calls `onMessage` for every line that is complete.
   *
   * @throws {QmpError} `protocol`: nothing that follows can be trusted
   */
  push(chunk: Buffer, onMessage: (message: QmpMessage) => void): void {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const line = this.#take(chunk.subarray(from, end));
      from = end + 1;
      if (line.trim() !== '') onMessage(parseMessage(parseJson(line)));
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
  }

  #take(rest: Buffer): string {
    this.#check(rest.length);
    const line = this.#parts.length === 0 ? rest : Buffer.concat([...this.#parts, rest]);
    this.#parts = [];
    this.#partBytes = 0;
    return line.toString('utf8');
  }

  #keep(part: Buffer): void {
    this.#check(part.length);
    // A copy: the transport may reuse its buffer.
    this.#parts.push(Buffer.from(part));
    this.#partBytes += part.length;
  }

  #check(more: number): void {
    if (this.#partBytes + more > this.#maxBytes) {
      throw protocolError(`a line is longer than ${this.#maxBytes} bytes`);
    }
  }
}

function parseJson(untrustedLine: string): unknown {
  try {
    return JSON.parse(untrustedLine);
  } catch (error) {
    throw protocolError(`this is not JSON: ${printable(untrustedLine.slice(0, 80))}`, error);
  }
}

function parseMessage(untrusted: unknown): QmpMessage {
  if (isObject(untrusted)) {
    const { QMP, event, error, id } = untrusted;
    if (isObject(QMP)) return { kind: 'greeting', version: parseVersion(QMP.version) };
    if (typeof event === 'string') return { kind: 'event', event: parseEvent(event, untrusted) };
    if (isObject(error) && typeof error.class === 'string' && typeof error.desc === 'string') {
      return { kind: 'error', id, class: error.class, desc: error.desc };
    }
    if (untrusted.return !== undefined) return { kind: 'return', id, value: untrusted.return };
  }
  throw protocolError(
    `this is not a QMP message: ${printable((JSON.stringify(untrusted) ?? '').slice(0, 80))}`,
  );
}

function parseVersion(untrusted: JsonValue | undefined): QemuVersion {
  const qemu = isObject(untrusted) ? untrusted.qemu : undefined;
  if (!isObject(untrusted) || !isObject(qemu)) throw protocolError('the greeting has no version');
  const { major, minor, micro } = qemu;
  if (typeof major !== 'number' || typeof minor !== 'number' || typeof micro !== 'number') {
    throw protocolError('the version in the greeting is unreadable');
  }
  const packaged = untrusted.package;
  return { major, minor, micro, package: typeof packaged === 'string' ? printable(packaged) : '' };
}

function parseEvent(name: string, untrusted: JsonObject): QmpEvent {
  const { data, timestamp } = untrusted;
  const { seconds, microseconds } = isObject(timestamp) ? timestamp : {};
  // QEMU gives -1 if the host's clock failed.
  const known = typeof seconds === 'number' && typeof microseconds === 'number' && seconds >= 0;
  return {
    name,
    data: isObject(data) ? data : {},
    atMs: known ? seconds * 1000 + microseconds / 1000 : undefined,
  };
}

/** True for a JSON object, false for a list. What is parsed from JSON holds nothing but JSON. */
export function isObject(untrusted: unknown): untrusted is JsonObject {
  return typeof untrusted === 'object' && untrusted !== null && !Array.isArray(untrusted);
}

/**
 * The bytes of a command.
 *
 * @throws {TypeError} when a string contains a NUL or half a surrogate pair: QEMU's parser accepts neither, and answers
 *   without saying which command it means
 */
export function encodeCommand(command: string, args: JsonObject | undefined, id: string): Buffer {
  const message = { execute: command, ...(args ? { arguments: args } : {}), id };
  const line = JSON.stringify(message, (key, value: unknown) => {
    if (UNREADABLE.test(key) || (typeof value === 'string' && UNREADABLE.test(value))) {
      throw new TypeError(`${command}: a string that QEMU cannot read`);
    }
    return value;
  });
  return Buffer.from(`${line}\n`);
}

const UNREADABLE = /[\0\p{Cs}]/u;

/** The error for something that is not QMP. */
export function protocolError(detail: string, cause?: unknown): QmpError {
  return new QmpError('protocol', 'receive', detail, { cause });
}
