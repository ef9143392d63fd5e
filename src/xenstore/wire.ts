/**
 * The xenstore wire protocol: message types, encoding and an incremental decoder. No IO.
 *
 * Source of the format: Xen's public header `io/xs_wire.h` and `docs/misc/xenstore.txt`.
 * A message is a header of four little-endian u32 (type, request id, transaction id, length) and a payload.
 */

/** Message types (`xs_wire.h: enum xsd_sockmsg_type`). */
export const MessageType = {
  control: 0,
  directory: 1,
  read: 2,
  getPermissions: 3,
  watch: 4,
  unwatch: 5,
  transactionStart: 6,
  transactionEnd: 7,
  introduce: 8,
  release: 9,
  getDomainPath: 10,
  write: 11,
  mkdir: 12,
  rm: 13,
  setPermissions: 14,
  watchEvent: 15,
  error: 16,
  isDomainIntroduced: 17,
  resume: 18,
  setTarget: 19,
  resetWatches: 21,
  directoryPart: 22,
  getFeature: 23,
  setFeature: 24,
  getQuota: 25,
  setQuota: 26,
} as const;

/** A message type's number on the wire. */
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

/** Bytes of a message header. */
export const HEADER_BYTES = 16;

/** Largest payload of a request (`xs_wire.h: XENSTORE_PAYLOAD_MAX`). */
export const PAYLOAD_MAX_BYTES = 4096;

/**
 * Largest payload taken from a daemon. oxenstored answers DIRECTORY with more than 4096 bytes, so replies get a far
 * higher limit; anything above it is not xenstore.
 */
const REPLY_MAX_BYTES = 16 * 1024 * 1024;

/** One message, either direction. */
export interface Message {
  readonly type: number;
  readonly requestId: number;
  readonly transactionId: number;
  readonly payload: Buffer;
}

/** The peer sent bytes that are not xenstore's protocol. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

const TYPE_NAMES = new Map<number, string>(Object.entries(MessageType).map(([name, type]) => [type, name]));

/** The name of a message type number, for messages. */
export function describeType(type: number): string {
  return TYPE_NAMES.get(type) ?? `type ${type}`;
}

/** Encodes one message. */
export function encodeMessage(message: Message): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + message.payload.length);
  writeHeader(bytes, 0, message, message.payload.length);
  message.payload.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** Writes a header at `offset`. */
export function writeHeader(
  bytes: Buffer,
  offset: number,
  header: Pick<Message, 'type' | 'requestId' | 'transactionId'>,
  payloadBytes: number,
): void {
  bytes.writeUInt32LE(header.type, offset);
  bytes.writeUInt32LE(header.requestId, offset + 4);
  bytes.writeUInt32LE(header.transactionId, offset + 8);
  bytes.writeUInt32LE(payloadBytes, offset + 12);
}

/** Joins strings as the protocol's NUL-terminated list: `a\0b\0`. */
export function encodeStrings(strings: readonly string[]): Buffer {
  return Buffer.from(strings.length === 0 ? '' : `${strings.join('\0')}\0`);
}

/** Splits `a\0b\0` (a missing last NUL is accepted) into strings. */
export function decodeStrings(payload: Buffer): string[] {
  if (payload.length === 0) return [];
  const end = payload[payload.length - 1] === 0 ? payload.length - 1 : payload.length;
  return payload.toString('utf8', 0, end).split('\0');
}

/** Receives each message from a {@link Decoder}; the payload is a view that is only valid during the call. */
type MessageSink = (type: number, requestId: number, transactionId: number, payload: Buffer) => void;

/**
 * Cuts a byte stream into messages. Feed it chunks of any size; a message may come split anywhere, and many
 * may come in one chunk (xenstored writes header and body separately).
 */
export class Decoder {
  readonly #maxPayloadBytes: number;
  #kept: Buffer = Buffer.alloc(0);
  #keptBytes = 0;

  /** @param maxPayloadBytes a longer payload is a {@link ProtocolError} */
  constructor(maxPayloadBytes: number = REPLY_MAX_BYTES) {
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** Bytes of an unfinished message. */
  get pendingBytes(): number {
    return this.#keptBytes;
  }

  /**
   * Takes the next bytes and calls `sink` for each message they complete.
   *
   * @throws {ProtocolError} when a header announces more than the limit; the stream is useless from there on
   */
  push(chunk: Buffer, sink: MessageSink): void {
    let bytes = chunk;
    let end = chunk.length;
    if (this.#keptBytes > 0) {
      this.#keep(chunk);
      bytes = this.#kept;
      end = this.#keptBytes;
    }
    let at = 0;
    while (end - at >= HEADER_BYTES) {
      const length = bytes.readUInt32LE(at + 12);
      if (length > this.#maxPayloadBytes) {
        throw new ProtocolError(
          `a message of ${length} bytes was announced; the limit is ${this.#maxPayloadBytes}`,
        );
      }
      if (end - at < HEADER_BYTES + length) break;
      const from = at + HEADER_BYTES;
      at = from + length;
      sink(
        bytes.readUInt32LE(from - 16),
        bytes.readUInt32LE(from - 12),
        bytes.readUInt32LE(from - 8),
        bytes.subarray(from, at),
      );
    }
    if (bytes === chunk) {
      if (at < end) this.#keep(chunk.subarray(at));
    } else {
      bytes.copyWithin(0, at, end);
      this.#keptBytes = end - at;
    }
  }

  #keep(chunk: Buffer): void {
    const needed = this.#keptBytes + chunk.length;
    if (this.#kept.length < needed) {
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#kept.length, 1024));
      this.#kept.copy(grown, 0, 0, this.#keptBytes);
      this.#kept = grown;
    }
    chunk.copy(this.#kept, this.#keptBytes);
    this.#keptBytes = needed;
  }
}
