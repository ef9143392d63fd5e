/** URBs as usbfs has them: structures in memory that the kernel writes to when one is reaped. */
import type { Block, LocalMemory, Transfer } from '../backend/boundary.js';
import { TransferType } from '../usbif/index.js';
import { setAddress } from './structures.js';
import { PACKET_BYTES, UrbFlag, UrbOffset } from './usbfs-numbers.js';

/** Room for one with 128 packets. */
const URB_BYTES = 2048;
const URBS_PER_BLOCK = 16;

const SETUP_BYTES = 8;

/** Memory that can be given back. */
interface UrbMemory extends LocalMemory {
  unmap(block: Block): void;
}

interface Place {
  readonly address: number;
  readonly view: DataView;
}

/** The URBs of one device, found by their addresses. */
export class UrbPool {
  readonly #memory: UrbMemory;
  readonly #blocks: Block[] = [];
  readonly #free: Place[] = [];
  readonly #used = new Map<number, { readonly place: Place; readonly transfer: Transfer }>();

  constructor(memory: UrbMemory) {
    this.#memory = memory;
  }

  /** How many the kernel has. */
  get count(): number {
    return this.#used.size;
  }

  /** Writes a transfer as a URB; gives its address. */
  fill(transfer: Transfer): number {
    const place = this.#take();
    const { view, address } = place;
    const { type, endpoint, block, start, length, shortNotOk, packets } = transfer;
    const isControl = type === TransferType.control;
    const isIsochronous = type === TransferType.isochronous;
    const input = (endpoint & 0x80) !== 0;
    view.setUint8(UrbOffset.type, type);
    // The direction of a control transfer is in its setup packet.
    view.setUint8(UrbOffset.endpoint, isControl ? endpoint & 0xf : endpoint);
    view.setInt32(UrbOffset.status, 0, true);
    const short = shortNotOk && input && !isIsochronous ? UrbFlag.shortNotOk : 0;
    view.setUint32(UrbOffset.flags, short | (isIsochronous ? UrbFlag.isoAsap : 0), true);
    const from = isControl ? start - SETUP_BYTES : start;
    setAddress(view, UrbOffset.buffer, block.address + from);
    view.setInt32(UrbOffset.bufferLength, isControl ? length + SETUP_BYTES : length, true);
    view.setInt32(UrbOffset.actualLength, 0, true);
    view.setInt32(UrbOffset.startFrame, 0, true);
    view.setInt32(UrbOffset.packetCount, packets?.lengths.length ?? 0, true);
    view.setInt32(UrbOffset.errorCount, 0, true);
    packets?.lengths.forEach((bytes, at) => {
      view.setUint32(UrbOffset.packets + at * PACKET_BYTES, bytes, true);
      view.setUint32(UrbOffset.packets + at * PACKET_BYTES + 4, 0, true);
      view.setInt32(UrbOffset.packets + at * PACKET_BYTES + 8, 0, true);
    });
    this.#used.set(address, { place, transfer });
    return address;
  }

  /** Reads what became of a URB; undefined when it is none of ours. */
  finish(address: number): Transfer | undefined {
    const used = this.#used.get(address);
    if (!used) return undefined;
    const { transfer } = used;
    const { view } = used.place;
    transfer.status = view.getInt32(UrbOffset.status, true);
    transfer.actualLength = view.getInt32(UrbOffset.actualLength, true);
    transfer.startFrame = view.getInt32(UrbOffset.startFrame, true);
    transfer.errorCount = view.getInt32(UrbOffset.errorCount, true);
    const { packets } = transfer;
    packets?.lengths.forEach((_, at) => {
      packets.actualLengths[at] = view.getUint32(UrbOffset.packets + at * PACKET_BYTES + 4, true);
      packets.statuses[at] = view.getInt32(UrbOffset.packets + at * PACKET_BYTES + 8, true);
    });
    this.drop(address);
    return transfer;
  }

  /** The address of a transfer that the kernel has. */
  addressOf(transfer: Transfer): number | undefined {
    for (const [address, used] of this.#used) if (used.transfer === transfer) return address;
    return undefined;
  }

  /** The kernel has not taken a URB, or has given it back. */
  drop(address: number): void {
    const used = this.#used.get(address);
    if (!used) return;
    this.#used.delete(address);
    this.#free.push(used.place);
  }

  #take(): Place {
    if (this.#free.length === 0) {
      const block = this.#memory.allocate(URB_BYTES * URBS_PER_BLOCK);
      this.#blocks.push(block);
      for (let at = 0; at < URBS_PER_BLOCK; at++) {
        const view = new DataView(block.bytes.buffer, block.bytes.byteOffset + at * URB_BYTES, URB_BYTES);
        this.#free.push({ address: block.address + at * URB_BYTES, view });
      }
    }
    return this.#free.pop()!;
  }

  /** Gives the memory back: the device is closed, and the kernel has none of them. */
  close(): void {
    this.#free.length = 0;
    for (const block of this.#blocks.splice(0)) this.#memory.unmap(block);
  }
}
