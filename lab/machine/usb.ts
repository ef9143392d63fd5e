/** The emulated USB devices and the sockets they are in. */
import type { JsonObject } from '../../src/qmp/index.js';
import { STICKS, type StickName } from '../build/media.js';

/** A USB device of the machine, as QEMU takes it. */
export interface UsbDevice {
  /** QEMU's name for this kind of device. */
  readonly driver: string;
  /** The socket: a controller and one of its ports, `xhci.0` and `5.1`. */
  readonly bus: UsbBus;
  readonly port: string;
  /** It has USB 3 speed, and so its bus id is on that bus. */
  readonly isSuper?: boolean;
  /** QEMU cannot save it: after a snapshot it is replugged. */
  readonly isUnsaved?: boolean;
  readonly options?: JsonObject;
}

/** The controllers of the machine. */
export type UsbBus = 'ehci.0' | 'uhci.0' | 'xhci.0';

/** The name of a lab device. */
export type UsbName = keyof typeof USB_DEVICES;

const stick = (name: StickName) => ({
  driver: 'usb-storage',
  options: { drive: name, serial: STICKS[name], removable: true },
});

/** The devices, and their bus ids in dom0. */
export const USB_DEVICES = {
  /** 4-1: 46f4:0001, serial number LAB0001, SuperSpeed. */
  stick: { ...stick('stick'), bus: 'xhci.0', port: '1', isSuper: true },
  /** 1-1: 46f4:0001, serial number LAB0002, high speed. */
  stick2: { ...stick('stick2'), bus: 'ehci.0', port: '1' },
  /** 3-2; all of QEMU's input devices are 0627:0001. */
  keyboard: { driver: 'usb-kbd', bus: 'xhci.0', port: '2' },
  /** 3-3 */
  tablet: { driver: 'usb-tablet', bus: 'xhci.0', port: '3' },
  /** 3-4: 0403:6001, ftdi_sio. */
  serial: {
    driver: 'usb-serial',
    bus: 'xhci.0',
    port: '4',
    isUnsaved: true,
    // With nothing at its other end it would be unplugged.
    options: { chardev: 'serial', 'always-plugged': true },
  },
  /** 3-5: 0409:55aa */
  hub: { driver: 'usb-hub', bus: 'xhci.0', port: '5' },
  /** 3-5.1, behind the hub. */
  mouse: { driver: 'usb-mouse', bus: 'xhci.0', port: '5.1' },
  /** 3-6: two interfaces, one driver (snd-usb-audio) for both. */
  audio: { driver: 'usb-audio', bus: 'xhci.0', port: '6', isUnsaved: true, options: { audiodev: 'sound' } },
  /** 3-7: 0525:a4a2, two interfaces and two configurations. */
  network: { driver: 'usb-net', bus: 'xhci.0', port: '7', isUnsaved: true, options: { netdev: 'usbnet' } },
  /** 3-8: one interface, for which dom0 has no driver. */
  card: { driver: 'usb-ccid', bus: 'xhci.0', port: '8' },
  /** 2-1, at low speed. */
  mouse2: { driver: 'usb-mouse', bus: 'uhci.0', port: '1' },
} as const satisfies Readonly<Record<string, UsbDevice>>;

/** A lab device by its name. */
export function usbDevice(name: UsbName): UsbDevice {
  return USB_DEVICES[name];
}

/** Where dom0 sees what is in a socket; `etc/lab/rc` loads the drivers so that buses have these numbers. */
export function busidOf({ bus, port, isSuper }: UsbDevice): string {
  const number = bus === 'ehci.0' ? 1 : bus === 'uhci.0' ? 2 : isSuper ? 4 : 3;
  return `${number}-${port}`;
}

/** A device as QEMU takes it, on its command line or with `device_add`. */
export function qemuDevice(id: string, { driver, bus, port, options }: UsbDevice): JsonObject {
  return { driver, id, bus, port, ...options };
}

/** The devices that QEMU cannot save. */
export function unsavedDevices(): [UsbName, UsbDevice][] {
  const names = Object.keys(USB_DEVICES) as UsbName[];
  return names
    .map((name): [UsbName, UsbDevice] => [name, usbDevice(name)])
    .filter(([, { isUnsaved }]) => isUnsaved);
}
