/** What a simulated kernel is made of: devices and drivers. Plain data. */

/** One interface of a device's active configuration. */
export interface InterfaceSpec {
  /** `bInterfaceNumber`. */
  readonly number: number;
  /** Class, subclass and protocol, two hex digits each: `03/01/01`. */
  readonly classes: string;
  /** The driver it starts with: absent = whichever takes it, null = none. */
  readonly driver?: string | null;
  /** False: no driver may have it (`authorized` is 0). */
  readonly authorized?: boolean;
}

/** A port of a hub. */
export interface PortSpec {
  /** The other half of its socket, by the name that a device gets there. */
  readonly peer?: string;
  /** `connect_type`: `hotplug`, `hardwired`, `not used` or `unknown`. */
  readonly connectType?: string;
}

/** A device as it can be plugged in. */
export interface DeviceSpec {
  /** Where it is plugged in: `3-1.5`; `usb3` for a root hub. */
  readonly busid: string;
  /** Four hex digits. */
  readonly vendorId: string;
  /** Four hex digits. */
  readonly productId: string;
  /** `bDeviceClass`, two hex digits; `09` is a hub. */
  readonly deviceClass: string;
  /** `bDeviceSubClass`; 00 when absent. */
  readonly deviceSubClass?: string;
  /** `bDeviceProtocol`; 00 when absent. */
  readonly deviceProtocol?: string;
  /** `bcdDevice`, four hex digits; 0000 when absent. */
  readonly bcdDevice?: string;
  /** `version` (bcdUSB) as sysfs prints it, `2.00`; by speed when absent. */
  readonly version?: string;
  /** Mbit/s: 1.5, 12, 480, 5000, ...; 0 when the kernel does not know it. */
  readonly speedMbps: number;
  /** `busnum`, if it differs from the one in a recorded device's name. */
  readonly bus?: number;
  /** `bConfigurationValue` of the configuration it is in; 1 when absent, null: it is not configured, and has no interfaces. */
  readonly configuration?: number | null;
  /** False: it may not be used (`authorized` is 0), and has no interfaces. */
  readonly authorized?: boolean;
  /** Ports of a hub. */
  readonly maxChild?: number;
  /** What the kernel knows about some of these ports. */
  readonly ports?: Readonly<Record<string, PortSpec>>;
  /** All its descriptors, in base64; the least that fits when absent. */
  readonly descriptors?: string;
  /** The address (`devnum`) to start with; the next free one when absent. */
  readonly address?: number;
  readonly manufacturer?: string;
  readonly product?: string;
  readonly serial?: string;
  readonly interfaces: readonly InterfaceSpec[];
}

/**
 * What a driver does with the other interfaces of a device when it takes one:
 * - `single`: nothing
 * - `siblings-on-bind`: takes them too, and each is released separately (snd-usb-audio)
 * - `siblings-both`: takes them too, and releasing one releases all (cdc_ether and other usbnet drivers)
 */
export type ClaimStyle = 'single' | 'siblings-on-bind' | 'siblings-both';

/** A USB driver. */
export interface DriverSpec {
  readonly name: string;
  /** What its id table takes: classes (`03`, `08/06`, `01/01/00`), `vvvv:pppp`, its interface N (`vvvv:pppp/N`), or `*`. */
  readonly match: readonly string[];
  /** `single` when absent. */
  readonly claim?: ClaimStyle;
  /** Classes of the siblings it claims; any when absent. */
  readonly siblings?: readonly string[];
}

/** Something that changed in the kernel. */
export type KernelChange =
  | { readonly kind: 'plug' | 'unplug'; readonly busid: string }
  | { readonly kind: 'bind' | 'unbind'; readonly interface: string; readonly driver: string }
  | { readonly kind: 'driver-added' | 'driver-removed'; readonly driver: string };

/** An interface of a plugged device. */
export interface PluggedInterface {
  /** `3-1:1.0`. */
  readonly id: string;
  readonly busid: string;
  readonly number: number;
  readonly classes: string;
  readonly authorized: boolean;
  /** The driver it is bound to. */
  readonly driver: string | undefined;
}

/** A plugged device. */
export interface PluggedDevice {
  readonly busid: string;
  readonly spec: DeviceSpec;
  /** `devnum`. */
  readonly address: number;
  readonly interfaces: readonly PluggedInterface[];
}
