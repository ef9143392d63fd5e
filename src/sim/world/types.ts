/** The controller types as the simulator knows them: its own reading of what libxl and the backends do. */
import type { ControllerType } from '../../pvusb/model/inventory.js';

/** One type. */
export interface SimType {
  /** The kind of its backends in xenstore; undefined: it has only a record. */
  readonly backend: string | undefined;
  /** usbback serves it. */
  readonly isOfUsbback: boolean;
  /** A QEMU serves it. */
  readonly isOfQemu: boolean;
  /** A QEMU follows its backend in xenstore, and libxl starts one for it. */
  readonly startsQemu: boolean;
  /** Its number of ports, unless a world says. */
  usualPorts(version: number): number;
}

const TYPES: Readonly<Record<ControllerType, SimType>> = {
  pv: {
    backend: 'vusb',
    isOfUsbback: true,
    isOfQemu: false,
    startsQemu: false,
    usualPorts: () => 8,
  },
  qusb: {
    backend: 'qusb',
    isOfUsbback: false,
    isOfQemu: true,
    startsQemu: true,
    usualPorts: () => 8,
  },
  devicemodel: {
    backend: undefined,
    isOfUsbback: false,
    isOfQemu: true,
    startsQemu: false,
    // A UHCI has 2 ports and an EHCI 6.
    usualPorts: (version) => (version < 3 ? version * 4 - 2 : 8),
  },
};

/** The names of all types. */
export const TYPE_NAMES = Object.keys(TYPES) as [ControllerType, ...ControllerType[]];

/** The types that have backends. */
export const BACKENDS = Object.values(TYPES).filter(({ backend }) => backend !== undefined);

/** A type by its name; undefined for an unknown one. */
export function simType(type: string): SimType | undefined {
  return Object.hasOwn(TYPES, type) ? TYPES[type as ControllerType] : undefined;
}
