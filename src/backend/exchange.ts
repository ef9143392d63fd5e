/** Transfers and their memory: what goes from the guest to a device and back, in as few copies as possible. */
import { PAGE_SIZE, type Packet, TransferType, UsbifStatus } from '../usbif/index.js';
import type { Blocks } from './blocks.js';
import type { Block, GuestMemory, LentDevice, Transfer, TransferPackets } from './boundary.js';
import { CopyList } from './copy-list.js';
import { Errno, statusOf } from './errno.js';
import { copiedPackets, isochronousBytes, listDescriptors, listResults, pack } from './isochronous.js';
import type { Counters } from './metrics.js';
import type { Urb } from './urb.js';

/** Whoever started URBs, and is told what became of them. */
export interface Starter {
  readonly device: LentDevice;
  /** The device must be left alone for now. */
  readonly isBusy: boolean;
  /** The transfers that the device has. */
  readonly running: Map<Transfer, Job>;
  /** The device has them. */
  began(job: Job): void;
  /** They have ended, or those of `again` have to be started once more. */
  ended(urbs: readonly Urb[], again: readonly Urb[], isBroken: boolean): void;
  /** They were not started; `waiting` of them still have to be. */
  postponed(urbs: readonly Urb[], waiting: readonly Urb[]): void;
}

/** URBs that are to be one transfer. */
export interface Wanted {
  readonly port: Starter;
  readonly urbs: readonly Urb[];
  /** What was taken of the guest's budget. */
  readonly cost: number;
}

/** A transfer, and the URBs that it is for. */
export interface Job extends Wanted {
  readonly block: Block;
  readonly start: number;
  readonly length: number;
  readonly packets: readonly Packet[] | undefined;
  readonly transfer: Transfer;
}

/** How a URB ended. */
export interface Result {
  readonly urb: Urb;
  status: UsbifStatus;
  actualLength: number;
  readonly startFrame: number;
  readonly errorCount: number;
  /** Its pieces in the list of what is copied to the guest. */
  readonly firstCopy: number;
  readonly endCopy: number;
  /** The bytes that it brought, for traces. */
  readonly bytes: Uint8Array | undefined;
  /** Isochronous packets, for traces. */
  readonly packets?: TransferPackets | undefined;
}

interface Prepared extends Wanted {
  readonly block: Block;
  readonly start: number;
  readonly length: number;
  readonly firstCopy: number;
  readonly endCopy: number;
}

const SETUP_BYTES = 8;

/** What to do with the outcome of preparing and submitting. */
interface Outcomes {
  /** The device has it. */
  submitted(job: Job): void;
  /**
   * It could not be given to the device; the errno says why.
   *
   * @returns whether it is put off: then so are those behind it
   */
  failed(wanted: Wanted, errno: number): boolean;
}

/** Moves data for one controller. */
export class Exchange {
  readonly #memory: GuestMemory;
  readonly #blocks: Blocks;
  readonly #counters: Counters;
  readonly #isTraced: boolean;
  readonly #incoming = new CopyList();
  readonly #outgoing = new CopyList();
  #prepared: Prepared[] = [];
  #used: Block[] = [];

  /** @param isTraced whether anybody looks at the bytes of results */
  constructor(memory: GuestMemory, blocks: Blocks, counters: Counters, isTraced: boolean) {
    this.#isTraced = isTraced;
    this.#memory = memory;
    this.#blocks = blocks;
    this.#counters = counters;
  }

  /** Whether anything waits for {@link submit}. */
  get hasPrepared(): boolean {
    return this.#prepared.length > 0;
  }

  /** Gets memory for URBs that are one transfer, and lists what is to be copied from the guest for it. */
  prepare(wanted: Wanted): void {
    const { port, urbs, cost } = wanted;
    const { request, input } = urbs[0]!;
    let length = 0;
    for (const urb of urbs) length += urb.length;
    const block = this.#blocks.take(request.kind === 'isochronous' ? isochronousBytes(request) : length);
    // At the same place in its page as the guest has it: then no piece has to be cut at a page of ours.
    const offset = request.data.count > 0 ? request.data.offsetOf(0) % PAGE_SIZE : 0;
    const start = request.kind === 'control' && offset < SETUP_BYTES ? offset + PAGE_SIZE : offset;
    const firstCopy = this.#incoming.count;
    if (!input && length > 0) this.#incoming.add(request.data, 0, length, block, start, false);
    if (request.kind === 'isochronous') listDescriptors(this.#incoming, request, block, start);
    if (request.kind === 'control') block.bytes.set(request.setup, start - SETUP_BYTES);
    const endCopy = this.#incoming.count;
    this.#prepared.push({ port, urbs, cost, block, start, length, firstCopy, endCopy });
  }

  /** Copies what was listed, and gives each transfer to its device. */
  submit(outcomes: Outcomes): void {
    const prepared = this.#prepared;
    this.#prepared = [];
    const list = this.#incoming;
    this.#copy(list);
    const lost = list.hasFailed(0, list.count)
      ? prepared.map(({ firstCopy, endCopy }) => list.hasFailed(firstCopy, endCopy))
      : undefined;
    // Before anybody hears of these: others may be prepared then.
    list.clear();
    let isPutOff = false;
    for (let at = 0; at < prepared.length; at++) {
      const one = prepared[at]!;
      const job = lost?.[at] ? undefined : this.#job(one);
      let errno: number = job ? Errno.noMemory : Errno.invalid;
      if (job && !isPutOff) errno = job.port.device.submit(job.transfer);
      if (job && errno === 0) {
        this.#counters.transfers++;
        outcomes.submitted(job);
        continue;
      }
      this.#blocks.give(one.block);
      if (outcomes.failed(one, errno)) isPutOff = true;
    }
  }

  #job({ port, urbs, cost, block, start, length }: Prepared): Job | undefined {
    const { request, input } = urbs[0]!;
    let packets: Packet[] | undefined;
    if (request.kind === 'isochronous') {
      packets = copiedPackets(request, block, start);
      if (!packets) return undefined;
    }
    const total = packets ? packets.reduce((sum, packet) => sum + packet.length, 0) : length;
    const transfer: Transfer = {
      type: TransferType[request.kind],
      endpoint: request.endpoint | (input ? 0x80 : 0),
      block,
      start,
      length: total,
      shortNotOk: request.shortNotOk,
      packets: packets ? pack(packets, block, start, !input) : undefined,
      status: 0,
      actualLength: 0,
      startFrame: 0,
      errorCount: 0,
    };
    return { port, urbs, cost, block, start, length, packets, transfer };
  }

  /** An answer that needs no device; its bytes go to the guest. */
  reply(urb: Urb, bytes: Uint8Array): Result {
    const block = this.#blocks.take(bytes.length);
    block.bytes.set(bytes);
    this.#used.push(block);
    return this.#result(urb, UsbifStatus.ok, bytes.length, block, 0);
  }

  /**
   * Deals out what a transfer has brought. Its block can be used again after the next {@link recycle}.
   *
   * @returns the results, and the URBs that have to be started again: those behind one that was unlinked
   */
  deal(job: Job): { readonly results: Result[]; readonly again: Urb[]; readonly isBroken: boolean } {
    const { transfer, urbs, block, start, packets } = job;
    this.#used.push(block);
    const first = urbs[0]!;
    const { request } = first;
    if (request.kind === 'isochronous' && packets && transfer.packets) {
      const firstCopy = this.#outgoing.count;
      const { input } = first;
      const actual = listResults(this.#outgoing, request, packets, transfer.packets, block, start, input);
      const result: Result = {
        urb: first,
        status: statusOf(transfer.status),
        actualLength: actual,
        startFrame: transfer.startFrame,
        errorCount: transfer.errorCount,
        firstCopy,
        endCopy: this.#outgoing.count,
        bytes: input ? this.#seen(block, start, transfer.length) : undefined,
        packets: transfer.packets,
      };
      return { results: [result], again: [], isBroken: false };
    }
    return this.#dealBytes(job);
  }

  #dealBytes({ transfer, urbs, block, start }: Job): { results: Result[]; again: Urb[]; isBroken: boolean } {
    const results: Result[] = [];
    const again: Urb[] = [];
    const isCancelled = transfer.status === Errno.noEntry || transfer.status === Errno.connectionReset;
    const ofUnlink = isCancelled && urbs.some(({ isUnlinked }) => isUnlinked);
    let left = Math.max(0, Math.min(transfer.actualLength, transfer.length));
    let place = start;
    let isBroken = false;
    urbs.forEach((urb, at) => {
      const got = Math.min(left, urb.length);
      left -= got;
      const isWhole = got === urb.length && (at < urbs.length - 1 || transfer.status === 0);
      let status: UsbifStatus = UsbifStatus.ok;
      if (ofUnlink && !(isWhole && !isBroken)) {
        if (!urb.isUnlinked && got === 0) {
          again.push(urb);
          return;
        }
        status = urb.isUnlinked ? UsbifStatus.shutdown : UsbifStatus.ioError;
      } else if (isBroken) status = UsbifStatus.shutdown;
      else if (!isWhole) {
        status = statusOf(transfer.status);
        isBroken = true;
      }
      results.push(this.#result(urb, status, got, block, place));
      place += urb.length;
    });
    return { results, again, isBroken };
  }

  #result(urb: Urb, status: UsbifStatus, actualLength: number, block: Block, place: number): Result {
    const firstCopy = this.#outgoing.count;
    const { input, request } = urb;
    if (input && actualLength > 0) this.#outgoing.add(request.data, 0, actualLength, block, place, true);
    const bytes = input ? this.#seen(block, place, actualLength) : undefined;
    return resultOf(urb, status, actualLength, firstCopy, this.#outgoing.count, bytes);
  }

  #seen(block: Block, place: number, length: number): Uint8Array | undefined {
    return this.#isTraced ? block.bytes.subarray(place, place + length) : undefined;
  }

  /** Copies to the guest what the results have brought; a URB whose pages cannot be written has failed. */
  deliver(results: readonly Result[]): void {
    const list = this.#outgoing;
    this.#copy(list);
    for (const result of results) {
      if (!list.hasFailed(result.firstCopy, result.endCopy)) continue;
      result.status = UsbifStatus.invalid;
      result.actualLength = 0;
    }
    list.clear();
  }

  /** The blocks of what was delivered can be used again. */
  recycle(): void {
    for (const block of this.#used) this.#blocks.give(block);
    this.#used = [];
  }

  /** What a URB takes to the device. */
  outBytes({ block, start, transfer }: Job, urb: Urb): Uint8Array | undefined {
    return urb.input ? undefined : block.bytes.subarray(start, start + transfer.length);
  }

  #copy(list: CopyList): void {
    if (list.count === 0) return;
    this.#memory.copy(list);
    this.#counters.copies++;
    for (let at = 0; at < list.count; at++) if (list.statuses[at] !== 0) this.#counters.copyFailures++;
  }
}

/** How a URB ended; without more than a status it has brought nothing. */
export function resultOf(
  urb: Urb,
  status: UsbifStatus,
  actualLength = 0,
  firstCopy = 0,
  endCopy = 0,
  bytes: Uint8Array | undefined = undefined,
): Result {
  return { urb, status, actualLength, startFrame: 0, errorCount: 0, firstCopy, endCopy, bytes };
}
