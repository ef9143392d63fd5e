/** What the types whose devices a QEMU has have in common. */
import type { DriverName } from '../../sysfs/busid.js';
import type { UsbDevice } from '../../sysfs/device.js';
import { USBFS } from '../model/drivers.js';
import { PvusbError, type Where } from '../model/errors.js';
import { domainAt, isAlive, type Place, qemuOf } from '../model/find.js';
import type { ControllerType, Inventory } from '../model/inventory.js';
import type { ControllerId } from '../model/layout.js';
import { type Named, nameDomain } from '../model/wording.js';
import type { PortFault, PortState } from './served-type.js';

/** How long QEMU may take to follow a port node. */
export const QEMU_WITHIN_MS = 10_000;

/** The error for a QEMU that no longer listens. */
export function deadError(named: Named, domid: number, where: Where = { domid }): PvusbError {
  const sentence = `The QEMU that served ${nameDomain(named, domid)} has died.`;
  return new PvusbError('qemu-dead', sentence, { where });
}

/** Whether a domain has a QEMU that takes commands. */
export function hasQemu(inventory: Inventory, domid: number): boolean {
  return isAlive(inventory, domid) && qemuOf(inventory, domid)?.health !== 'dead';
}

/** Why the domain has no QEMU that could serve a controller; undefined when it has one. */
export function modelProblem(
  inventory: Inventory,
  { domid, devid }: ControllerId,
  type: ControllerType,
  needsOffer: boolean,
): PvusbError | undefined {
  const where = { domid, devid };
  const model = domainAt(inventory, domid)?.deviceModel;
  if (!model?.running || (needsOffer && !model.qusb)) {
    const lacks = model?.running
      ? 'a device model (QEMU) that serves PVUSB'
      : 'a running device model (QEMU)';
    const sentence = `${nameDomain(inventory, domid, 'Domain')} does not have ${lacks}, which a controller of type ${type} needs.`;
    return new PvusbError('no-device-model', sentence, { where });
  }
  return qemuOf(inventory, domid)?.health === 'dead' ? deadError(inventory, domid, where) : undefined;
}

/** Whether the QEMU that serves a port has its device open; undefined when it was not asked or did not say. */
export function isOpenInQemu(
  inventory: Inventory,
  { controller: { domid, devid, type }, port: { port, busid } }: Place,
): boolean | undefined {
  const qemu = qemuOf(inventory, domid);
  if (!qemu || qemu.health === 'silent') return undefined;
  return qemu.devices.some(
    ({ socket = busid, open, ...at }) =>
      open && at.type === type && at.devid === devid && at.port === port && socket === busid,
  );
}

/**
 * QEMU takes the interfaces off their drivers when it opens a device, and appears as usbfs on them when the guest
 * configures it.
 */
export function lentToQemu({ interfaces }: UsbDevice): PortState {
  const drivers = interfaces.map(({ driver }) => driver);
  if (drivers.some((driver) => driver !== undefined && driver !== USBFS)) return 'not-opened';
  return drivers.includes(USBFS) ? 'in-use' : 'waiting';
}

/** A device that QEMU has taken is off the host's drivers, or on usbfs. */
export function isTakenByQemu(driver: DriverName | undefined): boolean {
  return driver === undefined || driver === USBFS;
}

/**
 * What is wrong with a device in QEMU. If the guest uses another one (`isGiven`), someone gave it to the guest: then it
 * is not ours to take away.
 */
export function examineInQemu(
  state: PortState | undefined,
  isOpen: boolean | undefined,
  isGiven: boolean,
): PortFault | undefined {
  if (state === 'other-device' && !isGiven) return 'other-device';
  // After a replug QEMU has the device in the port, but does not have it open.
  return state === 'not-opened' || isOpen === false ? 'port-without-binding' : undefined;
}

/** Whether a program holds the device through usbfs: a guest's QEMU, when the guest has configured it. */
export function isOnUsbfs({ interfaces }: UsbDevice): boolean {
  return interfaces.some(({ driver }) => driver === USBFS);
}
