/** What `usbctrl` and `usbdev` say. Plain data. */
import type { Position } from './errors.js';

/** Who serves a controller (xl.cfg(5), usbctrl). */
export type UsbControllerType = 'pv' | 'qusb' | 'devicemodel';

/** A controller of a guest; its number is its place in the list, from 0. What is undefined is chosen later. */
export interface ControllerSetting {
  /** Undefined is xl's `auto`. */
  readonly type?: UsbControllerType | undefined;
  /** 1 to 3; undefined is 2. */
  readonly version?: number | undefined;
  /** 1 to 31; undefined is as many as is usual for the type and version. */
  readonly ports?: number | undefined;
}

/** A device for a guest. */
export interface DeviceSetting {
  /** 1 to 255. */
  readonly hostbus: number;
  /** 1 to 127. */
  readonly hostaddr: number;
  /** A place in the list of controllers; undefined is any with a free port, else a new one. */
  readonly controller?: number | undefined;
  /** From 1; undefined is the first free one. Needs a controller. */
  readonly port?: number | undefined;
}

/** The USB settings of a guest. */
export interface UsbSettings {
  readonly controllers: readonly ControllerSetting[];
  readonly devices: readonly DeviceSetting[];
}

/** Something that was read from a file, with its place: the opening quote of its SPEC. */
export type Placed<T> = T & { readonly position: Position };

/** The USB settings of a file. */
export interface PlacedUsbSettings {
  readonly controllers: readonly Placed<ControllerSetting>[];
  readonly devices: readonly Placed<DeviceSetting>[];
}

/** Ports that a controller can have. */
interface PortLimits {
  readonly min: number;
  readonly max: number;
  /** Unless said otherwise. */
  readonly usual: number;
}

const PARAVIRTUAL: PortLimits = { min: 1, max: 31, usual: 8 };
const XHCI: PortLimits = { min: 1, max: 15, usual: 8 };

const LIMITS: Readonly<Record<UsbControllerType | 'auto', Readonly<Record<number, PortLimits>>>> = {
  // What auto becomes depends on the guest and the host: whatever one of the types has is possible.
  auto: { 1: PARAVIRTUAL, 2: PARAVIRTUAL, 3: XHCI },
  pv: { 1: PARAVIRTUAL, 2: PARAVIRTUAL },
  qusb: { 1: PARAVIRTUAL, 2: PARAVIRTUAL },
  devicemodel: { 1: { min: 2, max: 2, usual: 2 }, 2: { min: 6, max: 6, usual: 6 }, 3: XHCI },
};

/** The limits of a type and its USB versions, by version (xl.cfg(5), usbctrl). */
export function limitsOf(type: UsbControllerType | undefined): Readonly<Record<number, PortLimits>> {
  return LIMITS[type ?? 'auto'];
}

/** How many ports a controller has, or at most has when its type is open. 0 when it cannot be. */
export function portsOf({ type, version, ports }: ControllerSetting): number {
  return ports ?? limitsOf(type)[version ?? 2]?.usual ?? 0;
}
