/** A virtual stick: mass storage by the bulk-only transport (Universal Serial Bus Mass Storage Class, revision 1.0). */
import { loop } from '../../async/index.js';
import type { Setup } from '../../usb/index.js';
import { describe } from './describe.js';
import type { Stall, VirtualFunction } from './function.js';
import { type Disk, decideScsi, SENSE, type Sense } from './scsi.js';
import type { Storage } from './storage.js';

const COMMAND_SIGNATURE = 0x4342_5355;
const STATUS_SIGNATURE = 0x5342_5355;
const COMMAND_BYTES = 31;

/** Class requests. */
const GET_MAX_LUN = 0xfe;
const RESET = 0xff;

/** What is read from the storage at a time. */
const CHUNK_BYTES = 256 * 1024;

const IN = 0x81;
const PACKET_BYTES = 512;

interface Command {
  readonly tag: number;
  /** Bytes that the host wants to move, and that have not been moved. */
  left: number;
  /** All that is moved has been: the status is next. */
  isMoved: boolean;
  readonly isIn: boolean;
  /** Where the storage is read or written next. */
  at: number;
  /** Bytes that the command still moves; less than `left` when it has less to say. */
  toMove: number;
  /** Bytes for the host that have not been sent. */
  ready: Uint8Array;
  status: number;
}

/** A stick. What it cannot do now, because its storage takes time, it does when that is ready. */
export class Stick implements VirtualFunction {
  readonly speed = 'high';
  readonly strings: readonly string[];
  readonly descriptors = describe({
    vendor: 0x1d6b,
    product: 0x0105,
    version: 0x0100,
    stringCount: 3,
    configuration: 1,
    settings: [
      {
        interface: 0,
        class: 8,
        subClass: 6,
        protocol: 0x50,
        endpoints: [
          { address: IN, kind: 'bulk', packetBytes: PACKET_BYTES },
          { address: 0x02, kind: 'bulk', packetBytes: PACKET_BYTES },
        ],
      },
    ],
  });
  readonly #storage: Storage;
  readonly #serial: string;
  #command: Command | undefined;
  #isWaiting = false;
  #sense: Sense = SENSE.none;
  #more: () => void = () => undefined;
  /** Raised by each reset: what the storage brings for a command before it is thrown away. */
  #generation = 0;

  /** @param serial shown as its serial number */
  constructor(storage: Storage, serial: string) {
    this.#storage = storage;
    this.#serial = serial;
    this.strings = ['pvusb', 'virtual stick', serial];
  }

  start(more: () => void): void {
    this.#more = more;
  }

  control({ kind, request }: Setup): Uint8Array | Stall {
    if (kind !== 'class') return 'stall';
    if (request === GET_MAX_LUN) return Uint8Array.of(0);
    if (request !== RESET) return 'stall';
    this.reset();
    return new Uint8Array(0);
  }

  reset(): void {
    this.#command = undefined;
    this.#isWaiting = false;
    this.#generation++;
  }

  async end(): Promise<void> {
    this.reset();
    await this.#storage.close?.();
  }

  receive(_: number, bytes: Uint8Array): 'taken' | Stall | undefined {
    if (this.#isWaiting) return undefined;
    const command = this.#command;
    if (!command) return this.#begin(bytes) ? 'taken' : 'stall';
    if (command.isIn || command.isMoved) return 'stall';
    const written = bytes.subarray(0, command.toMove);
    command.left = Math.max(0, command.left - bytes.length);
    command.isMoved = command.left === 0;
    command.toMove -= written.length;
    const { at } = command;
    command.at += written.length;
    if (written.length > 0) this.#wait(() => this.#storage.write(at, written), undefined);
    return 'taken';
  }

  send(_: number, room: number): Uint8Array | Stall | undefined {
    if (this.#isWaiting) return undefined;
    const command = this.#command;
    // Nothing was asked for: a host that waits here would wait for ever.
    if (!command) return 'stall';
    if (command.isMoved) return this.#status(command);
    if (!command.isIn) return undefined;
    if (command.ready.length === 0 && command.toMove > 0) this.#read(command);
    if (this.#isWaiting) return undefined;
    // Less than the host wants: a stall says so, and the host reads the status next.
    if (command.ready.length === 0) {
      command.isMoved = true;
      return 'stall';
    }
    const count = Math.min(command.ready.length, Math.max(PACKET_BYTES, room - (room % PACKET_BYTES)));
    const sent = command.ready.subarray(0, count);
    command.ready = command.ready.subarray(count);
    command.left -= sent.length;
    // So does a short packet.
    command.isMoved = command.left === 0 || sent.length % PACKET_BYTES !== 0;
    return sent;
  }

  #begin(untrusted: Uint8Array): boolean {
    const block = Buffer.from(untrusted);
    if (block.length !== COMMAND_BYTES || block.readUInt32LE(0) !== COMMAND_SIGNATURE) return false;
    const left = block.readUInt32LE(8);
    const isIn = (block[12]! & 0x80) !== 0;
    const disk: Disk = {
      size: this.#storage.size,
      isReadOnly: this.#storage.isReadOnly,
      serial: this.#serial,
      sense: this.#sense,
    };
    const action = decideScsi(block.subarray(15), disk);
    this.#sense = action.do === 'fail' ? action.sense : SENSE.none;
    const command: Command = {
      tag: block.readUInt32LE(4),
      left,
      isMoved: left === 0,
      isIn,
      at: 0,
      toMove: 0,
      ready: new Uint8Array(0),
      status: action.do === 'fail' ? 1 : 0,
    };
    this.#command = command;
    if (action.do === 'reply') command.ready = action.bytes.subarray(0, left);
    if (action.do === 'read' || action.do === 'write') {
      command.at = action.at;
      // The transport's length and the command's must be of one mind, or nothing is moved.
      if ((action.do === 'read') === isIn && action.length <= left) command.toMove = action.length;
      else if (action.length > 0) this.#fail(SENSE.invalidField);
    }
    if (action.do === 'flush') this.#wait(() => this.#storage.flush(), undefined);
    return true;
  }

  #read(command: Command): void {
    const length = Math.min(command.toMove, CHUNK_BYTES);
    const { at } = command;
    command.at += length;
    command.toMove -= length;
    this.#wait(
      () => this.#storage.read(at, length),
      (bytes) => {
        command.ready = bytes;
      },
    );
  }

  /** Does something with the storage, at once if that is possible. */
  #wait<T>(work: () => T | Promise<T>, done: ((result: T) => void) | undefined): void {
    let outcome: T | Promise<T>;
    try {
      outcome = work();
    } catch {
      this.#fail(SENSE.mediumError);
      return;
    }
    if (!(outcome instanceof Promise)) {
      done?.(outcome);
      return;
    }
    this.#isWaiting = true;
    const generation = this.#generation;
    const end = (last: () => void): void => {
      if (generation !== this.#generation) return;
      this.#isWaiting = false;
      last();
      this.#more();
    };
    loop.through(outcome).then(
      (value) => end(() => done?.(value)),
      () => end(() => this.#fail(SENSE.mediumError)),
    );
  }

  #fail(sense: Sense): void {
    this.#sense = sense;
    if (this.#command) Object.assign(this.#command, { status: 1, toMove: 0, ready: new Uint8Array(0) });
  }

  #status({ tag, status, left }: Command): Uint8Array {
    this.#command = undefined;
    const block = Buffer.alloc(13);
    block.writeUInt32LE(STATUS_SIGNATURE, 0);
    block.writeUInt32LE(tag, 4);
    block.writeUInt32LE(left, 8);
    block[12] = status;
    return block;
  }
}
