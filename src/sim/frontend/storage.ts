/** A guest's usb-storage: SCSI commands over the bulk-only transport, and its recovery from errors. */
import type { GuestDevice, SimUsbGuest } from './guest.js';
import { GuestUsbError } from './guest.js';

const IN = 0x81;
const OUT = 0x02;
const STALL = -32;
const BLOCK = 512;

/** The driver of one stick. */
export class GuestStorage {
  readonly #guest: SimUsbGuest;
  #device: GuestDevice;
  readonly #pieceBytes: number;
  #tag = 1;
  /** Resets that it took. */
  resets = 0;

  /** @param pieceBytes of each URB's data, as a scatter list would have it */
  constructor(guest: SimUsbGuest, device: GuestDevice, pieceBytes = 4096) {
    this.#guest = guest;
    this.#device = device;
    this.#pieceBytes = pieceBytes;
  }

  /** Bytes of the stick. */
  async capacity(): Promise<number> {
    const bytes = new Uint8Array(8);
    await this.#command([0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], bytes, true);
    const view = new DataView(bytes.buffer);
    return (view.getUint32(0) + 1) * view.getUint32(4);
  }

  /** Reads bytes from a place that a block begins at. */
  async read(at: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    await this.#command(readWrite(0x28, at, length), bytes, true);
    return bytes;
  }

  /** Writes bytes to a place that a block begins at. */
  async write(at: number, bytes: Uint8Array): Promise<void> {
    await this.#command(readWrite(0x2a, at, bytes.length), bytes, false);
  }

  /** Anything else, without data; whether it succeeded. */
  async plain(command: readonly number[]): Promise<boolean> {
    return (await this.#once(command, new Uint8Array(0), true)) === 0;
  }

  /** Tries a command as usb-storage and the SCSI layer do: after an error the device is reset, and it is sent again. */
  async #command(command: readonly number[], data: Uint8Array, isInput: boolean): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        const status = await this.#once(command, data, isInput);
        if (status !== 0) throw new GuestUsbError(`SCSI command ${command[0]?.toString(16)} failed`, status);
        return;
      } catch (error) {
        const isLost = !this.#guest.plugged.has(this.#device.port);
        if (attempt === 4 || isLost || !(error instanceof GuestUsbError) || error.status >= 0) throw error;
        this.resets++;
        this.#device = await this.#guest.enumerate(this.#device.port, this.#device.address);
      }
    }
  }

  async #once(command: readonly number[], data: Uint8Array, isInput: boolean): Promise<number> {
    const block = new Uint8Array(31);
    const view = new DataView(block.buffer);
    view.setUint32(0, 0x4342_5355, true);
    const tag = this.#tag++;
    view.setUint32(4, tag, true);
    view.setUint32(8, data.length, true);
    block.set([isInput ? 0x80 : 0, 0, command.length, ...command], 12);
    await this.#guest.bulk(this.#device, OUT, block);
    if (data.length > 0) await this.#move(data, isInput);
    const status = await this.#status();
    const answer = new DataView(status.buffer);
    if (answer.getUint32(0, true) !== 0x5342_5355 || answer.getUint32(4, true) !== tag) {
      throw new GuestUsbError('a status that belongs to no command', -71);
    }
    return status[12]!;
  }

  async #move(data: Uint8Array, isInput: boolean): Promise<void> {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < data.length; at += this.#pieceBytes) {
      pieces.push(data.subarray(at, at + this.#pieceBytes));
    }
    const endpoint = isInput ? IN : OUT;
    try {
      await this.#guest.scattered(this.#device, endpoint, pieces);
    } catch (error) {
      if (!(error instanceof GuestUsbError) || error.status !== STALL) throw error;
      await this.#clearHalt(endpoint);
    }
  }

  async #status(): Promise<Uint8Array> {
    const status = new Uint8Array(13);
    try {
      await this.#guest.bulk(this.#device, IN, status);
    } catch (error) {
      if (!(error instanceof GuestUsbError) || error.status !== STALL) throw error;
      await this.#clearHalt(IN);
      await this.#guest.bulk(this.#device, IN, status);
    }
    return status;
  }

  async #clearHalt(endpoint: number): Promise<void> {
    await this.#guest.control(this.#device, [2, 1, 0, endpoint]);
  }
}

function readWrite(code: number, at: number, length: number): number[] {
  const [first, count] = [at / BLOCK, length / BLOCK];
  return [
    code,
    0,
    first >>> 24,
    (first >>> 16) & 0xff,
    (first >>> 8) & 0xff,
    first & 0xff,
    0,
    count >>> 8,
    count & 0xff,
    0,
  ];
}
