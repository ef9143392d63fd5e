/** What `usbctrl` and `usbdev` say. Plain data. */
import { type ControllerType, PORT_RANGES, type PortRange, USUAL_VERSION } from '../libxl/controller-type.js';
import type { Position } from './errors.js';

/** A controller of a guest; its number is its position in the list, from 0. What is undefined is chosen later. */
export interface ControllerSetting {
  /** Undefined is xl's `auto`. */
  readonly type?: ControllerType | undefined;
  /** 1 to 3; undefined is 2. */
  readonly version?: number | undefined;
  /** 1 to 31; undefined is the usual number for the type and version. */
  readonly ports?: number | undefined;
}

/** A device for a guest. */
export interface DeviceSetting {
  /** 1 to 255. */
  readonly hostbus: number;
  /** 1 to 127. */
  readonly hostaddr: number;
  /** A position in the list of controllers; undefined is any with a free port, or a new one. */
  readonly controller?: number | undefined;
  /** From 1; undefined is the first free one. Needs a controller. */
  readonly port?: number | undefined;
}

/** The USB settings of a guest. */
export interface UsbSettings {
  readonly controllers: readonly ControllerSetting[];
  readonly devices: readonly DeviceSetting[];
}

/** Something read from a file, with its position: the opening quote of its SPEC. */
export type Placed<T> = T & { readonly position: Position };

/** The USB settings of a file. */
export interface PlacedUsbSettings {
  readonly controllers: readonly Placed<ControllerSetting>[];
  readonly devices: readonly Placed<DeviceSetting>[];
}

type Ranges = Readonly<Partial<Record<number, PortRange>>>;

/** What auto becomes depends on the guest and the host: whatever any of the types allows is possible. */
const AUTO: Ranges = Object.assign({}, ...Object.values(PORT_RANGES).toReversed());

/** The limits of a type and its USB versions, by version (xl.cfg(5), usbctrl). */
export function limitsOf(type: ControllerType | undefined): Ranges {
  return type === undefined ? AUTO : PORT_RANGES[type];
}

/** How many ports a controller has, or can have at most when its type is open. 0 when it is impossible. */
export function portsOf({ type, version, ports }: ControllerSetting): number {
  return ports ?? limitsOf(type)[version ?? USUAL_VERSION]?.usual ?? 0;
}
