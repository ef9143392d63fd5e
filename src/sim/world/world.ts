/** A world: what a simulated host is made of. Plain data. */
import type { DeviceSpec, DriverSpec } from '../kernel/index.js';

/** A domain of a world. */
export interface WorldDomain {
  /** 1 and up: domain 0 is always there. */
  readonly domid: number;
  readonly name: string;
  readonly type: 'pv' | 'pvh' | 'hvm';
  /** False: only the toolstack's record of it is left. */
  readonly alive: boolean;
  /** False: its kernel has no PVUSB frontend driver. */
  readonly driver: boolean;
  /** A seed: the guest rewrites its own nodes at random. */
  readonly hostile?: number;
  /** Whether a QEMU serves it; absent: if it is an HVM guest. */
  readonly deviceModel?: boolean;
  /** `/vm/<uuid>`; made from the domid when absent. */
  readonly uuid?: string;
  /** What xenstore does not say about it; absent: it says everything. */
  readonly lacks?: readonly ('name' | 'type' | 'uuid')[];
  /** What the store says about its QEMU, if that is not what a QEMU serving it announces. */
  readonly announced?: { readonly running: boolean; readonly qusb: boolean };
  /** True: its QEMU has died. */
  readonly hasDeadQemu?: boolean;
}

/** A controller of a world, with everything that xenstore has about it. */
export interface WorldController {
  readonly domid: number;
  readonly devid: number;
  /** As in the record's `type`: `pv`, `qusb`, `devicemodel` or something unknown. */
  readonly type: string;
  /** `usb-ver`. */
  readonly version: number;
  /** `num-ports`. */
  readonly portCount: number;
  readonly backendDomid: number;
  /** The record's `backend`, when it is not what libxl writes. */
  readonly backend?: string;
  /** The record's `frontend`, when it is not what libxl writes. */
  readonly frontend?: string;
  /** The backend's xenbus state; absent: its directory is gone. */
  readonly backendState?: number;
  readonly online: boolean;
  /** The frontend's xenbus state; absent: there is none. */
  readonly frontendState?: number;
  readonly eventChannel?: number;
  readonly urbRingRef?: number;
  readonly connRingRef?: number;
  /** The contents of the port nodes that are not empty, also beyond `portCount`. */
  readonly ports: ReadonlyMap<number, string>;
}

/** What `/libxl/usbback/<busid>` holds. */
export interface WorldSavedDrivers {
  readonly busid: string;
  /** The key `device`. */
  readonly identity?: string;
  /** The key `port`. */
  readonly origin?: string;
  /** An absent driver stands for a path that is not a driver's. */
  readonly drivers: readonly { readonly interface: string; readonly driver?: string }[];
}

/** What a simulated host is made of. */
export interface World {
  /** The files in its folder of rules, by their names there; none when absent. */
  readonly ruleFiles?: readonly { readonly path: string; readonly text: string }[];
  /** True when dom0's kernel has the in-kernel backend. */
  readonly usbback: boolean;
  /** Hubs before what is behind them. */
  readonly devices: readonly DeviceSpec[];
  /** In the order they register; `usbback` is not among them. */
  readonly drivers: readonly DriverSpec[];
  readonly domains: readonly WorldDomain[];
  readonly controllers: readonly WorldController[];
  readonly savedDrivers: readonly WorldSavedDrivers[];
  /** Domain 0, where it differs from the recorded host. */
  readonly dom0?: Omit<WorldDomain, 'domid' | 'alive' | 'driver'>;
  /** True: everything stays as it is until something changes. */
  readonly asFound?: boolean;
  /** Devices in a port served by QEMU that it did not take: they keep the drivers they have. None when absent. */
  readonly notOpened?: readonly string[];
  /** Backend directories (with a leading slash) that no record points to. */
  readonly orphanBackends: readonly {
    readonly domid: number;
    readonly devid: number;
    readonly backend: string;
  }[];
}
