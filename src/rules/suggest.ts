/** How a device is best named in a rule. */
import type { UsbDevice } from '../sysfs/device.js';
import type { Identity } from './rule.js';
import { socketsOf } from './socket.js';

/** What a device can be named by. */
export type NamedBy = 'serial' | 'socket' | 'id' | 'interface' | 'hash' | 'behind';

/** All of them. */
export const NAMED_BY: readonly NamedBy[] = ['serial', 'socket', 'id', 'interface', 'hash', 'behind'];

/** An identity, and what the device is named by in it. */
export interface Suggestion {
  readonly identity: Identity;
  readonly by: readonly NamedBy[];
}

/**
 * An identity for a plugged-in device: by `by`, or, unless that is given, by its serial number where that tells it from
 * every other device here, and by its socket otherwise. Undefined when the device does not have what it is to be named
 * by. Devices should be those of a scan with details, hubs included.
 */
export function suggestIdentity(
  devices: readonly UsbDevice[],
  device: UsbDevice,
  by?: readonly NamedBy[],
): Suggestion | undefined {
  const ids = `${device.vendorId}:${device.productId}`;
  const serial = device.serial?.trim() ?? '';
  const socket = socketsOf(devices).get(device.busid);
  const tells = serial !== '' && !devices.some((other) => other !== device && isAlike(other, device));
  const chosen = by ?? (tells ? ['serial'] : ['socket']);
  const parts: Readonly<Record<NamedBy, Identity | undefined>> = {
    serial: serial === '' ? undefined : { ids, serial },
    // Another model in that socket is another device.
    socket: socket === undefined ? undefined : by ? { socket } : { ids, socket },
    id: { ids },
    interface:
      device.interfaces.length === 0
        ? undefined
        : { interfaces: [...new Set(device.interfaces.map(({ classes }) => classes))] },
    hash: device.hash === undefined ? undefined : { hash: device.hash },
    behind: device.kind === 'hub' && socket !== undefined ? { behind: socket } : undefined,
  };
  let identity: Identity = {};
  for (const one of chosen) {
    const part = parts[one];
    if (!part) return undefined;
    identity = { ...identity, ...part };
  }
  return { identity, by: chosen };
}

function isAlike(one: UsbDevice, other: UsbDevice): boolean {
  return (
    one.vendorId === other.vendorId &&
    one.productId === other.productId &&
    (one.serial?.trim() ?? '') === (other.serial?.trim() ?? '')
  );
}
