/** What a virtual device does: the part that differs between a stick, a keyboard and a source of bytes. */
import type { Setup } from '../../usb/index.js';
import type { DeviceSpeed } from '../boundary.js';

/** `stall`: refused. */
export type Stall = 'stall';

/** The inside of a virtual device. Nothing in it waits: what is not there yet is `undefined`, as a device answers NAK. */
export interface VirtualFunction {
  readonly speed: DeviceSpeed;
  /** The device descriptor and its configurations. */
  readonly descriptors: Uint8Array;
  /** String descriptors from number 1 on. */
  readonly strings: readonly string[];
  /** Called once: `more` is to be called when something that was not there is. */
  start(more: () => void): void;
  /** A class or vendor request: the bytes that it brings, or a refusal. */
  control(setup: Setup, data: Uint8Array): Uint8Array | Stall;
  /**
   * What the device sends: whole packets, and perhaps one short one at the end, which ends a transfer.
   *
   * @param room bytes that are left in the transfer
   */
  send(endpoint: number, room: number): Uint8Array | Stall | undefined;
  /** What the device gets; undefined: not now. */
  receive(endpoint: number, bytes: Uint8Array): 'taken' | Stall | undefined;
  /** One isochronous packet. */
  sendPacket?(endpoint: number, room: number): Uint8Array;
  /** An alternate setting was chosen. */
  select?(interfaceNumber: number, setting: number): void;
  /** The device was reset, or configured anew. */
  reset(): void;
  /** It is closed: nothing is asked of it any more. */
  end?(): Promise<void>;
}
