/** A USB device of the host as sysfs shows it. Plain data. */
import type { Busid, DriverName, InterfaceId } from './busid.js';

/** One interface of a device: what a driver binds to. */
export interface UsbInterface {
  readonly id: InterfaceId;
  /** `bInterfaceNumber`. */
  readonly number: number;
  /** `bInterfaceClass`, `bInterfaceSubClass`, `bInterfaceProtocol`: two hex digits each, `08/06/50`. */
  readonly classes: string;
  /** The driver it is bound to; absent when none. */
  readonly driver?: DriverName;
  /** True when the host allows no driver to have it (`authorized` is 0: USBGuard and the like); otherwise absent. */
  readonly unauthorized?: true;
}

/**
 * A hub or a root hub cannot be lent: what is behind it can. A hub is what the kernel's hub driver takes, judging by
 * the class of the device or of an interface (`hub.c: hub_id_table`).
 */
export type UsbKind = 'device' | 'hub' | 'root-hub';

/**
 * One USB device. The texts are the device's own, with control characters escaped: safe to print, never to be trusted.
 * What follows its interfaces is there only if it was asked for, and the kernel has it.
 */
export interface UsbDevice {
  readonly busid: Busid;
  readonly kind: UsbKind;
  /** `busnum`. */
  readonly bus: number;
  /** `devnum`; changes at every replug. */
  readonly address: number;
  /** `idVendor`, four hex digits. */
  readonly vendorId: string;
  /** `idProduct`, four hex digits. */
  readonly productId: string;
  /** `bDeviceClass`, two hex digits (hex, not decimal: a hub is `09`). */
  readonly deviceClass: string;
  /** `speed` in Mbit/s: 1.5, 12, 480, 5000 and up; 0 when the kernel does not know it. */
  readonly speedMbps: number;
  /** True when the host does not allow its use (`authorized` is 0: USBGuard and the like); otherwise absent. */
  readonly unauthorized?: true;
  /** True when it is not configured (`bConfigurationValue` is empty), and so has no interfaces; otherwise absent. */
  readonly unconfigured?: true;
  readonly manufacturer?: string;
  readonly product?: string;
  readonly serial?: string;
  readonly interfaces: readonly UsbInterface[];
  /** How many sockets a hub has (`maxchild`); absent: not a hub, or it has none now. */
  readonly sockets?: number;
  /** The name that the other half of its socket gives a device: a USB 3 socket is a port of two hubs (`peer`). */
  readonly peer?: Busid;
  /** What the firmware says about its socket (`connect_type`): `hotplug`, `hardwired`, `not used` or `unknown`. */
  readonly connectType?: string;
  /** All its descriptors, as the kernel read them (`descriptors`), in base64. */
  readonly descriptors?: string;
  /** What USBGuard calls its hash: base64 of SHA-256 over its strings, ids and descriptors. */
  readonly hash?: string;
}
