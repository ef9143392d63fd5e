/** Sockets by names that last: bus numbers change from boot to boot, where a controller is does not. */
import type { Busid } from '../sysfs/busid.js';
import { hubOf, portOf } from '../sysfs/busid.js';
import type { UsbDevice } from '../sysfs/device.js';

/** Host controller, then the chain of ports; `ss` marks the USB 3 half of a socket whose other half is not known. */
const SOCKET = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}\/(ss)?[1-9]\d{0,2}(\.[1-9]\d{0,2}){0,6}$/;

/** True for the name of a socket. */
export function isSocket(text: string): boolean {
  return SOCKET.test(text);
}

/** USB 3 root hubs are that fast, Mbit/s. */
const SUPER_SPEED = 5000;

/**
 * The socket of each device, `0000:00:14.0/4.1`: the controller, as the kernel calls it in the serial number of its root
 * hub (`hcd.c: register_root_hub`), and the chain of ports. The two halves of a USB 3 socket are one: it is named after
 * its USB 2 half. Devices should be those of a scan with details, hubs included.
 */
export function socketsOf(devices: readonly UsbDevice[]): ReadonlyMap<Busid, string> {
  const byName = new Map(devices.map((device) => [device.busid, device]));
  const sockets = new Map<Busid, string>();
  const named = (busid: Busid): string => {
    const known = sockets.get(busid);
    if (known !== undefined) return known;
    const socket = nameOf(busid);
    sockets.set(busid, socket);
    return socket;
  };
  const nameOf = (busid: Busid): string => {
    const hub = hubOf(busid);
    if (hub === undefined) return controllerOf(byName.get(busid), busid);
    const half = byName.get(busid)?.peer;
    const isFast = (byName.get(rootOf(busid))?.speedMbps ?? 0) >= SUPER_SPEED;
    if (isFast && half !== undefined && !isBehindFast(half)) return named(half);
    if (hubOf(hub) !== undefined) return `${named(hub)}.${portOf(busid)}`;
    return `${named(hub)}/${isFast ? 'ss' : ''}${portOf(busid)}`;
  };
  const isBehindFast = (busid: Busid): boolean => (byName.get(rootOf(busid))?.speedMbps ?? 0) >= SUPER_SPEED;
  for (const { busid } of devices) named(busid);
  return new Map(devices.map(({ busid }) => [busid, sockets.get(busid)!]));
}

function rootOf(busid: Busid): Busid {
  return `usb${busid.replace(/^usb/, '').split('-')[0]}` as Busid;
}

function controllerOf(rootHub: UsbDevice | undefined, busid: Busid): string {
  const name = rootHub?.serial ?? '';
  // Without the kernel's name only the bus number is left, which may change.
  return isSocket(`${name}/1`) ? name : busid;
}
