/** A device that exists only in this process: what usbfs would be for a real one. */
import { loop } from '../../async/index.js';
import { ActiveConfiguration, parseDescriptors, parseSetup, SETUP_BYTES } from '../../usb/index.js';
import { TransferType } from '../../usbif/index.js';
import type { DeviceListener, DeviceSpeed, LentDevice, Transfer } from '../boundary.js';
import { Errno } from '../errno.js';
import type { VirtualFunction } from './function.js';
import { standardRequest } from './standard.js';

/** A virtual device, open. Its transfers end in later turns of the event loop, never in the call that starts them. */
export class VirtualDevice implements LentDevice {
  readonly speed: DeviceSpeed;
  readonly untrustedDescriptors: Uint8Array;
  readonly untrustedBos = undefined;
  readonly #function: VirtualFunction;
  readonly #active: ActiveConfiguration;
  readonly #pending = new Map<number, Transfer[]>();
  readonly #halted = new Set<number>();
  readonly #ended: Transfer[] = [];
  #listener: DeviceListener | undefined;
  #isGone = false;
  #isClosed = false;
  #isDue = false;

  /** @throws {TypeError} the function has no device descriptor */
  constructor(inside: VirtualFunction) {
    const parsed = parseDescriptors(inside.descriptors);
    if (!parsed) throw new TypeError('a virtual device needs a device descriptor');
    this.speed = inside.speed;
    this.untrustedDescriptors = inside.descriptors;
    this.#function = inside;
    this.#active = new ActiveConfiguration(parsed, parsed.configurations[0]?.value ?? 0);
    inside.start(() => this.#due());
  }

  get configuration(): number {
    return this.#active.value;
  }

  /** Transfers that have not ended. */
  get pendingCount(): number {
    let count = 0;
    for (const { length } of this.#pending.values()) count += length;
    return count;
  }

  start(listener: DeviceListener): void {
    this.#listener = listener;
    if (this.#isGone) loop.soon(() => listener.gone());
  }

  submit(transfer: Transfer): number {
    if (this.#isGone) return Errno.noDevice;
    const { endpoint, type } = transfer;
    if (type !== TransferType.control && !this.#active.endpoint(endpoint)) return Errno.noEntry;
    const queue = this.#pending.get(endpoint) ?? [];
    queue.push(transfer);
    this.#pending.set(endpoint, queue);
    this.#due();
    return 0;
  }

  cancel(transfer: Transfer): void {
    const queue = this.#pending.get(transfer.endpoint) ?? [];
    const at = queue.indexOf(transfer);
    if (at < 0) return;
    queue.splice(at, 1);
    this.#end(transfer, Errno.connectionReset);
    this.#due();
  }

  reap(): Transfer | undefined {
    return this.#ended.shift();
  }

  async setConfiguration(value: number): Promise<number> {
    if (this.#isGone) return Errno.noDevice;
    if (!this.#active.hasConfiguration(value)) return Errno.invalid;
    this.#restart();
    this.#active.configure(value);
    return 0;
  }

  async setInterface(interfaceNumber: number, setting: number): Promise<number> {
    if (this.#isGone) return Errno.noDevice;
    if (!this.#active.hasSetting(interfaceNumber, setting)) return Errno.invalid;
    this.#endAll(Errno.noEntry);
    this.#active.select(interfaceNumber, setting);
    this.#function.select?.(interfaceNumber, setting);
    return 0;
  }

  async clearHalt(endpoint: number): Promise<number> {
    if (this.#isGone) return Errno.noDevice;
    this.#halted.delete(endpoint);
    this.#due();
    return 0;
  }

  async reset(): Promise<number> {
    if (this.#isGone) return Errno.noDevice;
    this.#restart();
    return 0;
  }

  async close(): Promise<void> {
    this.#listener = undefined;
    this.#endAll(Errno.noEntry);
    this.#isGone = true;
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#function.end?.();
  }

  /** Pulls the device out. */
  pullOut(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#endAll(Errno.shutdown);
    this.#listener?.gone();
  }

  #restart(): void {
    this.#endAll(Errno.noEntry);
    this.#halted.clear();
    this.#function.reset();
  }

  #endAll(errno: number): void {
    for (const queue of this.#pending.values())
      for (const transfer of queue.splice(0)) this.#end(transfer, errno);
    this.#due();
  }

  #end(transfer: Transfer, errno: number): void {
    transfer.status = errno;
    this.#ended.push(transfer);
  }

  #due(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    loop.soon(() => {
      this.#isDue = false;
      this.#work();
    });
  }

  #work(): void {
    for (const [endpoint, queue] of this.#pending) {
      for (let [transfer] = queue; transfer; [transfer] = queue) {
        const errno = this.#halted.has(endpoint) ? Errno.pipe : this.#carry(transfer);
        if (errno === undefined) break;
        if (errno === Errno.pipe && transfer.type !== TransferType.control) this.#halted.add(endpoint);
        queue.shift();
        this.#end(transfer, errno);
      }
    }
    if (this.#ended.length > 0) this.#listener?.ready();
  }

  /** Carries a transfer on; the errno that it ends with, undefined when it goes on later. */
  #carry(transfer: Transfer): number | undefined {
    if (transfer.type === TransferType.control) return this.#control(transfer);
    if (transfer.packets) return this.#isochronous(transfer);
    const { endpoint, block, start, length } = transfer;
    if ((endpoint & 0x80) === 0) {
      const taken = this.#function.receive(endpoint, block.bytes.subarray(start, start + length));
      if (taken === undefined) return undefined;
      if (taken === 'stall') return Errno.pipe;
      transfer.actualLength = length;
      return 0;
    }
    const packetBytes = this.#active.endpoint(endpoint)?.packetBytes || 1;
    for (;;) {
      const room = length - transfer.actualLength;
      const sent = this.#function.send(endpoint, room);
      if (sent === undefined) return undefined;
      if (sent === 'stall') return Errno.pipe;
      const kept = sent.subarray(0, room);
      block.bytes.set(kept, start + transfer.actualLength);
      transfer.actualLength += kept.length;
      if (sent.length > room) return Errno.overflow;
      const isShort = sent.length === 0 || sent.length % packetBytes !== 0;
      if (transfer.actualLength === length) return 0;
      if (isShort) return transfer.shortNotOk ? Errno.shortRead : 0;
    }
  }

  #control(transfer: Transfer): number {
    const { block, start, length } = transfer;
    const setup = parseSetup(block.bytes.subarray(start - SETUP_BYTES, start));
    const data = setup.input ? new Uint8Array(0) : block.bytes.slice(start, start + length);
    const standard = standardRequest(setup, this.#function, this.#active, this.#halted);
    const reply = standard ?? this.#function.control(setup, data);
    if (reply === 'stall') return Errno.pipe;
    const kept = reply.subarray(0, length);
    if (setup.input) block.bytes.set(kept, start);
    transfer.actualLength = setup.input ? kept.length : length;
    return 0;
  }

  #isochronous(transfer: Transfer): number {
    const { lengths, actualLengths, statuses } = transfer.packets!;
    const { block, endpoint } = transfer;
    let at = transfer.start;
    for (let index = 0; index < lengths.length; index++) {
      const length = lengths[index]!;
      const place = block.bytes.subarray(at, at + length);
      if (endpoint & 0x80) {
        const bytes = (this.#function.sendPacket?.(endpoint, length) ?? new Uint8Array(0)).subarray(
          0,
          length,
        );
        place.set(bytes);
        actualLengths[index] = bytes.length;
      } else {
        this.#function.receive(endpoint, place);
        actualLengths[index] = length;
      }
      statuses[index] = 0;
      transfer.actualLength += actualLengths[index]!;
      at += length;
    }
    return 0;
  }
}
