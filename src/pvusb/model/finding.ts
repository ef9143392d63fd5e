/** What can be wrong with a host. */
import type { QuiescedGuest } from '../../quiesced/index.js';
import type { Busid, DriverName, InterfaceId } from '../../sysfs/busid.js';
import type { Place } from './find.js';
import type { Controller, OrphanBackend } from './inventory.js';
import type { ConfigEdit, Fact } from './plan.js';

/** Something that no finished operation leaves behind. */
export type Finding =
  /** A port names a device that has been pulled out. */
  | { readonly finding: 'missing-device'; readonly place: Place; readonly busid: Busid }
  /** A port names a device whose interfaces are not (all) on usbback, or that QEMU does not have. */
  | {
      readonly finding: 'port-without-binding';
      readonly place: Place;
      readonly busid: Busid;
      /** Why the guest does not have it, where that is not what is usual for the controller's type. */
      readonly notTaken?: string;
    }
  /** The backend that runs does not have a port's virtual device open. */
  | { readonly finding: 'virtual-not-opened'; readonly place: Place; readonly virtual: string }
  /** A port names one device, but another one is in that socket. */
  | { readonly finding: 'other-device'; readonly place: Place; readonly busid: Busid }
  /** A device is in this port and in another one, which keeps it: the port where a QEMU has it open, or else the first. */
  | { readonly finding: 'claimed-twice'; readonly place: Place; readonly busid: Busid }
  /** A port node holds something that is not a device, or does not belong to the controller. */
  | { readonly finding: 'bad-port'; readonly place: Place }
  /** A device's interfaces are on usbback, but it is in no port. */
  | { readonly finding: 'binding-without-port'; readonly busid: Busid }
  /** Drivers are saved for a device that is in no port and not on usbback. `isBack`: they have it again, or it is gone. */
  | { readonly finding: 'stale-saved-driver'; readonly busid: Busid; readonly isBack: boolean }
  /** A device is back with the host, but has interfaces on drivers other than before. */
  | { readonly finding: 'other-driver'; readonly busid: Busid; readonly interfaces: readonly OtherDriver[] }
  /** A backend directory without a toolstack's record. */
  | { readonly finding: 'orphan-backend'; readonly orphan: OrphanBackend }
  /** A controller of a domain that is gone. */
  | { readonly finding: 'dead-domain'; readonly controller: Controller }
  /** A controller whose removal has begun. */
  | { readonly finding: 'half-removed'; readonly controller: Controller }
  /** Controllers of living guests are not served because usbback is not loaded. */
  | { readonly finding: 'no-usbback'; readonly count: number }
  /** A controller that usbback or QEMU never took. */
  | { readonly finding: 'unserved-controller'; readonly controller: Controller }
  /** A controller with devices to which no driver of the guest has connected yet. */
  | { readonly finding: 'no-frontend'; readonly controller: Controller }
  /** A record of an emulated controller that QEMU does not have. */
  | { readonly finding: 'not-emulated'; readonly controller: Controller }
  /** QEMU has a lent device, but the guest has not noticed. `isReplugged`: QEMU 7.2 has not told it about a replug. */
  | {
      readonly finding: 'unnoticed-device';
      readonly place: Place;
      readonly busid: Busid;
      readonly isReplugged: boolean;
    }
  /** The saved configuration differs from what the domain has: libxl would build a different domain from it. */
  | { readonly finding: 'config-differs'; readonly difference: ConfigDifference }
  /** The saved configuration cannot be read. */
  | { readonly finding: 'config-unreadable'; readonly domid: number; readonly problem: string }
  /** A guest is quiesced: it has none of its devices; or it is restored, and lacks some. */
  | { readonly finding: 'quiesced'; readonly guest: QuiescedGuest }
  /** A QEMU has died with devices given to it. */
  | { readonly finding: 'dead-qemu'; readonly domid: number; readonly places: readonly Place[] }
  /** QEMU has a device in a port that is free, or a controller that no record names. */
  | {
      readonly finding: 'unrecorded-device';
      readonly domid: number;
      readonly devid: number;
      readonly port: number;
    }
  | { readonly finding: 'unrecorded-controller'; readonly domid: number; readonly devid: number };

/** An interface that is on a different driver from before its device was lent. */
export interface OtherDriver {
  readonly interface: InterfaceId;
  readonly driver: DriverName;
  readonly was: DriverName;
}

/**
 * `wrong`: someone lacks something, or will. `note`: what an ordinary operation of xl leaves behind, or what may be as
 * it should be; the doctor reports it, and exits with 0.
 */
export type Severity = 'wrong' | 'note';

/** The edits that would make a saved configuration match the domain, and the facts that must still hold then. */
export interface ConfigDifference {
  readonly domid: number;
  readonly uuid: string;
  readonly edits: readonly ConfigEdit[];
  readonly facts: readonly Fact[];
}
