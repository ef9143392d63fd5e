/**
 * How QEMU names what it makes for controllers of type qusb (`hw/usb/xen-usb.c`): `xen-qusb-0` for controller 0 and
 * `xen-qusb-0-1` for the device in its port 1. They stand beside those made by `device_add`, but come and go with
 * xenstore alone.
 */
import type { QmpCallOptions, QmpCommands } from './client.js';
import { PERIPHERALS } from './usb.js';

/** A port of a controller of type qusb. */
export interface QusbPort {
  readonly devid: number;
  readonly port: number;
}

/** The port whose device has this id; undefined when it is none of that form. */
export function parseQusbPort(untrustedId: string): QusbPort | undefined {
  const [, devid, port] = /^xen-qusb-(0|[1-9]\d{0,8})-([1-9]\d{0,2})$/.exec(untrustedId) ?? [];
  return devid === undefined ? undefined : { devid: Number(devid), port: Number(port) };
}

/**
 * Whether a `usb-host`, of any controller, has its device open. One that QEMU could not open, or that has been pulled
 * out, it has not (seen with QEMU 7.2.22); one plugged into the same socket later it opens by itself.
 *
 * @throws {QmpError} `refused` with class `DeviceNotFound` when there is none with this id; else as
 *   {@link QmpCommands.execute}
 */
export async function hasDeviceOpen(
  qmp: QmpCommands,
  id: string,
  options?: QmpCallOptions,
): Promise<boolean> {
  const untrusted = await qmp.execute(
    'qom-get',
    { path: `${PERIPHERALS}/${id}`, property: 'attached' },
    options,
  );
  return untrusted === true;
}
