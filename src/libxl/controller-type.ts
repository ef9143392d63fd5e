/** The types of virtual USB controllers and their limits (libxl_types.idl: usbctrl_type). */

/** Every type, in libxl's order. */
export const CONTROLLER_TYPES = ['pv', 'qusb', 'devicemodel'] as const;

/** Who serves a controller: the kernel's usbback, or a QEMU through xenstore, or a QEMU that emulates it. */
export type ControllerType = (typeof CONTROLLER_TYPES)[number];

/** Ports that a controller can have. */
export interface PortRange {
  readonly min: number;
  readonly max: number;
  /** The default. */
  readonly usual: number;
}

/** Most ports a controller of any type may have (`usbif.h`: USBIF_MAX_PORTNR). */
export const PORTS_MAX = 31;

/** The USB version of a controller unless asked for. */
export const USUAL_VERSION = 2;

/** The highest USB version of any type. */
export const VERSION_MAX = 3;

const PARAVIRTUAL: PortRange = { min: 1, max: PORTS_MAX, usual: 8 };

/** Ports by type, then by USB version (libxl: libxl__device_usbctrl_setdefault). A missing version is not supported. */
export const PORT_RANGES: Readonly<Record<ControllerType, Readonly<Partial<Record<number, PortRange>>>>> = {
  pv: { 1: PARAVIRTUAL, 2: PARAVIRTUAL },
  qusb: { 1: PARAVIRTUAL, 2: PARAVIRTUAL },
  devicemodel: {
    1: { min: 2, max: 2, usual: 2 },
    2: { min: 6, max: 6, usual: 6 },
    3: { min: 1, max: 15, usual: 8 },
  },
};

/** True for the name of a type. */
export function isControllerType(text: string | undefined): text is ControllerType {
  return (CONTROLLER_TYPES as readonly (string | undefined)[]).includes(text);
}
