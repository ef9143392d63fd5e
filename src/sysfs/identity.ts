/** What makes a device the same device after a replug, a reboot or in another socket. */
import type { UsbDevice } from './device.js';

/** Longest serial number kept in an identity. */
const SERIAL_MAX = 100;

/**
 * A device's identity as one line: `46f4:0001;LAB0001;08/06/50`: vendor and product id, serial number (percent-encoded;
 * empty when it has none) and the classes of its interfaces. Two devices may share an identity: cheap ones have no
 * serial number, or all have the same one.
 */
export function formatIdentity(device: UsbDevice): string {
  const serial = encodeURIComponent(device.serial ?? '').slice(0, SERIAL_MAX);
  const classes = device.interfaces.map((intf) => intf.classes).join(',');
  return `${device.vendorId}:${device.productId};${serial};${classes}`;
}

/**
 * Whether `device` can be the one that an identity was taken from. Interface classes are not compared: they change
 * with the device's configuration.
 */
export function hasIdentity(device: UsbDevice, identity: string): boolean {
  const [ids, serial] = identity.split(';');
  const [ownIds, ownSerial] = formatIdentity(device).split(';');
  return ids === ownIds && serial === ownSerial;
}

/** Whether an identity has a serial number: without one every device of that model has the same identity. */
export function hasSerial(identity: string): boolean {
  return (identity.split(';')[1] ?? '') !== '';
}

/**
 * An identity with the address that the device has now, as it is recorded for a lent one: a replug gives it another
 * address, and {@link addressIn} still gives the old one.
 */
export function formatIdentityAt(device: UsbDevice): string {
  return `${formatIdentity(device)};${device.bus}.${device.address}`;
}

/** The address in an identity, `3.11`; undefined for one without. */
export function addressIn(identity: string): string | undefined {
  return /^\d{1,3}\.\d{1,3}$/.exec(identity.split(';')[3] ?? '')?.[0];
}
