/** What serving guests needs from the machine: real in `real.ts`, simulated in tests. */

import type { EventChannel, GuestMemory, LentDevice, LocalMemory } from '../backend/boundary.js';
import type { VirtualName } from '../pvusb/model/virtual.js';

/** What a guest has written to be connected. */
export interface Rings {
  readonly urbRef: number;
  readonly connectionRef: number;
  readonly eventChannel: number;
}

/** A machine that serves guests. */
export interface Machine {
  readonly memory: LocalMemory;
  /** Maps the rings of a guest and binds its event channel. Throws when the guest has not granted them. */
  openGuest(domid: number, rings: Rings): { readonly memory: GuestMemory; readonly channel: EventChannel };
  /** Opens a device of the host by its busid, and takes it from its drivers. Rejects when that cannot be. */
  openDevice(busid: string): Promise<LentDevice>;
  /** Makes a virtual device. Rejects when its image cannot be used. */
  openVirtual(name: VirtualName): Promise<LentDevice>;
  /** The memory that outlives this process, of one controller; the same bytes each time. */
  journal(domid: number, devid: number): Uint8Array;
  /** It is not needed any more. */
  forget(domid: number, devid: number): void;
  /** Hears nothing of guests and devices any more. All stays as it is for the next backend. */
  close(): void;
}
