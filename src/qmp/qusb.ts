/**
 * How QEMU names what it creates for controllers of type qusb (`hw/usb/xen-usb.c`): `xen-qusb-0` for controller 0 and
 * `xen-qusb-0-1` for the device in its port 1. They are next to those made by `device_add`, but come and go with
 * xenstore only.
 */
import type { QmpCallOptions, QmpCommands } from './client.js';
import { propertyOf } from './qom.js';
import type { JsonValue } from './wire.js';

/** A port of a controller of type qusb. */
export interface QusbPort {
  readonly devid: number;
  readonly port: number;
}

/** The port whose device has this id; undefined when it does not have that form. */
export function parseQusbPort(untrustedId: string): QusbPort | undefined {
  const [, devid, port] = /^xen-qusb-(0|[1-9]\d{0,8})-([1-9]\d{0,2})$/.exec(untrustedId) ?? [];
  return devid === undefined ? undefined : { devid: Number(devid), port: Number(port) };
}

/** A host device in a port of a qusb controller. */
export interface QusbDevice {
  /** The socket that the port named when QEMU created it; undefined when QEMU does not say. */
  readonly socket: string | undefined;
  /**
   * False for one that QEMU could not open, or that has been pulled out (observed with QEMU 7.2.22); if one is plugged
   * into the same socket later, QEMU opens it by itself.
   */
  readonly open: boolean;
}

/**
 * What QEMU has in a port. It may differ from what xenstore names: QEMU keeps a device if another one was written in
 * its place before QEMU had looked.
 *
 * @throws {QmpError} `refused` with class `DeviceNotFound` when there is none with this id; otherwise as
 *   {@link QmpCommands.execute}
 */
export async function describeQusbDevice(
  qmp: QmpCommands,
  id: string,
  options?: QmpCallOptions,
): Promise<QusbDevice> {
  const get = (property: string): Promise<JsonValue> => propertyOf(qmp, id, property, options);
  // One after the other: when the first is refused, nothing is left in flight.
  const hostbus = await get('hostbus');
  const hostport = await get('hostport');
  const open = await get('attached');
  const isNamed = typeof hostbus === 'number' && typeof hostport === 'string' && hostport !== '';
  return { socket: isNamed ? `${hostbus}-${hostport}` : undefined, open: open === true };
}
