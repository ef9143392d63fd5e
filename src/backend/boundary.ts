/**
 * What the engine needs from the world: memory, a guest's pages, its event channel, devices. Behind these is Xen and
 * usbfs in `src/linux`, and in tests a simulated guest and virtual devices.
 */
import type { TransferType } from '../usbif/index.js';
import type { Block } from './block.js';
import type { CopyList } from './copy-list.js';

export type { Block, LocalMemory } from './block.js';

/** The memory of one guest, as far as it has granted it. */
export interface GuestMemory {
  /** The page of the ring of URBs. */
  readonly urbRing: Uint8Array;
  /** The page of the ring of connection events. */
  readonly connectionRing: Uint8Array;
  /** Copies each piece of a list, and sets its status: 0, or negative. */
  copy(list: CopyList): void;
  /** Unmaps the ring pages; they must not be touched any more. */
  close(): void;
}

/** The event channel to one guest. */
export interface EventChannel {
  /** Tells the guest that there is something for it. */
  notify(): void;
  /** Reports the guest's notifications from now on, each time it may be one or several. */
  start(onEvent: () => void): void;
  close(): void;
}

/** The packets of an isochronous transfer, back to back in the buffer, in order. */
export interface TransferPackets {
  readonly lengths: Int32Array;
  /** By the device: bytes of each. */
  readonly actualLengths: Int32Array;
  /** By the device: 0 or a negative errno for each. */
  readonly statuses: Int32Array;
}

/** One transfer between a device and a block of memory. Made by the engine, its results set by the device. */
export interface Transfer {
  readonly type: TransferType;
  /** The number of the endpoint and, in bit 7, its direction. */
  readonly endpoint: number;
  readonly block: Block;
  /** Where the data begin in the block; the setup packet of a control transfer is in the 8 bytes before. */
  readonly start: number;
  /** Bytes to transfer. */
  readonly length: number;
  readonly shortNotOk: boolean;
  readonly packets: TransferPackets | undefined;
  /** By the device: 0 or a negative errno. */
  status: number;
  /** By the device: bytes transferred. */
  actualLength: number;
  /** By the device: the frame in which isochronous packets began. */
  startFrame: number;
  /** By the device: isochronous packets that failed. */
  errorCount: number;
}

/** How fast a device is; the numbers of usbfs' GET_SPEED are not used. */
export type DeviceSpeed = 'low' | 'full' | 'high' | 'super';

/** What a device reports to whoever has it open. */
export interface DeviceListener {
  /** Transfers have ended, and can be reaped. */
  ready(): void;
  /** It was pulled out: all transfers have ended, and no other will work. */
  gone(): void;
}

/**
 * A device that is open and taken from the host's drivers. Errors are negative errnos, 0 is success. While one of the
 * calls that give a promise is running, the engine calls nothing else: usbfs locks the device for it.
 */
export interface LentDevice {
  readonly speed: DeviceSpeed;
  /** The device descriptor and behind it the configurations, as the device gave them. */
  readonly untrustedDescriptors: Uint8Array;
  /** The BOS descriptor, if it has one. */
  readonly untrustedBos: Uint8Array | undefined;
  /** `bConfigurationValue` of the configuration it is in. */
  readonly configuration: number;
  start(listener: DeviceListener): void;
  submit(transfer: Transfer): number;
  /** Ends a transfer early; it still has to be reaped, with what it has done. */
  cancel(transfer: Transfer): void;
  /** The next transfer that has ended. */
  reap(): Transfer | undefined;
  setConfiguration(value: number): Promise<number>;
  setInterface(interfaceNumber: number, setting: number): Promise<number>;
  clearHalt(endpoint: number): Promise<number>;
  reset(): Promise<number>;
  /** Gives it back: every transfer must have been reaped, unless it is gone. */
  close(): Promise<void>;
}
