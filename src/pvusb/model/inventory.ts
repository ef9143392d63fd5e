/** What a host looks like at one moment: the immutable Inventory that plans are made from. Plain data, fit for JSON. */

import type { HostUse } from '../../hostuse/use.js';
import type { ControllerType } from '../../libxl/controller-type.js';
import type { SavedController, SavedDevice } from '../../libxl/index.js';
import type { QuiescedGuest } from '../../quiesced/index.js';
import type { RuleFile } from '../../rules/index.js';
import type { Busid, DriverName, InterfaceId, UsbDevice } from '../../sysfs/index.js';
import type { PvusbErrorCode } from './errors.js';
import type { VirtualName } from './virtual.js';

export type { ControllerType };

/** How a guest is virtualised (`/libxl/D/type`). */
export type DomainType = 'pv' | 'pvh' | 'hvm';

/** A Xen domain. */
export interface Domain {
  readonly domid: number;
  /** `/local/domain/D/name`. */
  readonly name?: string;
  readonly type?: DomainType;
  /** What stays the same when the guest reboots under a new number (`/local/domain/D/vm`). */
  readonly uuid?: string;
  /** False when only the toolstack's record (`/libxl/D`) is left of it. */
  readonly alive: boolean;
  /** The QEMU that the toolstack started for it; absent when it has none. */
  readonly deviceModel?: DeviceModel;
}

/** A domain's QEMU, as domain 0's store announces it (`/local/domain/0/device-model/D`). */
export interface DeviceModel {
  /** `state` is `running`. It stays so when the process dies. */
  readonly running: boolean;
  /** Whether it can serve controllers of type qusb (`backends/qusb`). */
  readonly qusb: boolean;
}

/** What a domain's QEMU said when it was asked by QMP. */
export interface QemuAnswer {
  readonly domid: number;
  /** `dead`: nothing listens on its socket any more. `silent`: it cannot be asked. */
  readonly health: 'alive' | 'dead' | 'silent';
  /** Why it is not alive, a sentence without its full stop, and the error code for it. */
  readonly why?: string;
  readonly code?: PvusbErrorCode;
  /** What it says it is; absent when it is not alive, or does not say. */
  readonly version?: { readonly major: number; readonly minor: number };
  /** The numbers of the controllers that it emulates (type devicemodel). */
  readonly controllers: readonly number[];
  /** The host's devices that it has, or is waiting for. */
  readonly devices: readonly QemuDevice[];
}

/** A USB device of the host in a guest's QEMU, by the port that it is in. */
export interface QemuDevice {
  /** The type of the controller that it is on. */
  readonly type: ControllerType;
  readonly devid: number;
  readonly port: number;
  /** For type qusb: the socket that the port named when QEMU looked; undefined when QEMU does not say. */
  readonly socket?: string | undefined;
  /** False: QEMU does not have it open. It has been pulled out, or could not be opened. */
  readonly open: boolean;
}

/** Xenbus states (`io/xenbus.h: enum xenbus_state`). */
export const XenbusState = {
  unknown: 0,
  initialising: 1,
  initWait: 2,
  initialised: 3,
  connected: 4,
  closing: 5,
  closed: 6,
  reconfiguring: 7,
  reconfigured: 8,
} as const;

/** A xenbus state's number. */
export type XenbusState = (typeof XenbusState)[keyof typeof XenbusState];

/** One port of a controller. */
export interface Port {
  /** Counts from 1. */
  readonly port: number;
  /** The device in it, by its sysfs name. */
  readonly busid?: Busid;
  /** The virtual device in it, which pvusb's backend makes. */
  readonly virtual?: VirtualName;
  /** What the port node holds instead, when that is not a device's name. Unescaped: escape it before printing. */
  readonly untrustedJunk?: string;
}

/** What the guest wrote into its frontend directory: printed, never trusted. */
export interface UntrustedFrontend {
  readonly state?: number;
  readonly eventChannel?: number;
  readonly urbRingRef?: number;
  readonly connRingRef?: number;
}

/** A virtual USB controller of a domain, as the toolstack recorded it in `/libxl/D/device/vusb/N`. */
export interface Controller {
  readonly domid: number;
  readonly devid: number;
  /** `unknown`: of a type or with a backend path that we do not know; it is shown and left alone. */
  readonly type: ControllerType | 'unknown';
  /** USB version: 1, 2 or 3. */
  readonly version: number;
  /** `num-ports`. */
  readonly portCount: number;
  readonly backendDomid: number;
  readonly backend?: string;
  readonly frontend?: string;
  /** The node whose `port/N` are live: the backend's, or for type devicemodel the record's. */
  readonly portsAt?: string;
  /** The backend's xenbus state; absent when its directory is gone. */
  readonly backendState?: number;
  /** The backend's `online`: false once its removal has begun. */
  readonly online: boolean;
  readonly untrustedFrontend: UntrustedFrontend;
  /** Ports 1 to `portCount` in order. */
  readonly ports: readonly Port[];
  /** Port nodes above `portCount` that hold something (other toolstacks write them). */
  readonly strayPorts: readonly Port[];
}

/** The USB part of a domain's saved configuration, from which libxl rebuilds the domain. */
export interface SavedSettings {
  readonly domid: number;
  readonly uuid: string;
  readonly controllers: readonly SavedController[];
  readonly devices: readonly SavedDevice[];
  /** Why it could not be read, a sentence without its full stop. */
  readonly problem?: string;
}

/** What `/libxl/usbback/<busid>` says: the drivers that a lent device's interfaces had before. */
export interface SavedDrivers {
  readonly busid: Busid;
  /** Which device they were saved for; absent when another toolstack saved them. */
  readonly identity?: string;
  /** The port node that it was taken from, when a detach has freed the port but not yet given the interfaces back. */
  readonly origin?: string;
  /** Why it was lent although the host needed it, in the words of whoever did that. Unescaped: escape it before printing. */
  readonly forced?: string;
  readonly drivers: readonly SavedDriver[];
}

/** One saved driver. */
export interface SavedDriver {
  readonly interface: InterfaceId;
  /** Absent when `driver_path` is not the path of a USB driver; it is then never used. */
  readonly driver?: DriverName;
}

/** A backend directory that no toolstack record refers to. */
export interface OrphanBackend {
  readonly domid: number;
  readonly devid: number;
  readonly backend: string;
}

/** Our own backend, which serves controllers of type pv where the kernel has no usbback. */
export interface OwnBackend {
  /** What it shows of ports that name a device: the states of `port-state`. */
  readonly ports: readonly {
    readonly domid: number;
    readonly devid: number;
    readonly port: number;
    /** 2: it is open; 4: the guest has configured it; 6: it cannot be opened. */
    readonly state: number;
  }[];
}

/** The whole host: read once, never changed. */
export interface Inventory {
  readonly format: 'pvusb-inventory-1';
  /** True when the kernel driver that serves type `pv` is there (`/sys/bus/usb/drivers/usbback`). */
  readonly usbback: boolean;
  /** Our own backend; absent when it is not running, or usbback serves. */
  readonly backend?: OwnBackend;
  readonly devices: readonly UsbDevice[];
  readonly domains: readonly Domain[];
  readonly controllers: readonly Controller[];
  /** The QEMUs that were asked: those that the operation concerns. */
  readonly qemus: readonly QemuAnswer[];
  /** What libxl stores about the requested domains. */
  readonly saved: readonly SavedSettings[];
  readonly savedDrivers: readonly SavedDrivers[];
  readonly orphanBackends: readonly OrphanBackend[];
  /** What the host does with the devices that were asked about; absent: none were. */
  readonly uses?: readonly HostUse[];
  /** The files of rules, by their names in their folder; absent when they were not read. */
  readonly ruleFiles?: readonly RuleFile[];
  /** The guests that are quiesced; absent when there are none, or when they were not read. */
  readonly quiesced?: readonly QuiescedGuest[];
}
