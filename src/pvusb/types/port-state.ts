/** What has become of a device that a port names: given is not yet taken. Pure, but for {@link watchAttachment}. */
import type { UsbDevice } from '../../sysfs/index.js';
import { USBBACK, USBFS } from '../model/drivers.js';
import { deviceAt, isOf, type Place, qemuOf, savedFor } from '../model/find.js';
import { type Controller, type Inventory, XenbusState } from '../model/inventory.js';
import { isOfQemu } from './service.js';

/**
 * - `in-use`: the guest has it
 * - `waiting`: the host's end has it; the guest has not taken it yet
 * - `not-opened`: the guest cannot have it: the host's drivers have it still, QEMU does not have it open, or has died
 * - `other-device`: another device than the one that was attached is plugged into that socket now
 * - `missing`: it has been pulled out
 */
export type PortState = 'in-use' | 'waiting' | 'not-opened' | 'other-device' | 'missing';

/** The state of a port; undefined when it names no device. */
export function portState(inventory: Inventory, place: Place): PortState | undefined {
  const { controller, port } = place;
  const { busid } = port;
  if (busid === undefined) return undefined;
  const device = deviceAt(inventory, busid);
  if (device && !isOf(savedFor(inventory, busid), device, true)) return 'other-device';
  if (device && isOpenInQemu(inventory, place) === false) return 'not-opened';
  return lentState(controller.type, device, controller.untrustedFrontend.state);
}

/** Whether the QEMU that serves a port has its device open; undefined when it was not asked or did not say. */
export function isOpenInQemu(
  inventory: Inventory,
  { controller: { domid, devid, type }, port: { port, busid } }: Place,
): boolean | undefined {
  const qemu = isOfQemu(type) ? qemuOf(inventory, domid) : undefined;
  if (!qemu || qemu.health === 'silent') return undefined;
  return qemu.devices.some(
    ({ socket = busid, open, ...at }) =>
      open && at.type === type && at.devid === devid && at.port === port && socket === busid,
  );
}

/** The state of a device that a port names, as far as its drivers and the guest's frontend tell. */
export function lentState(
  type: Controller['type'],
  device: UsbDevice | undefined,
  frontendState: number | undefined,
): PortState {
  if (!device) return 'missing';
  const drivers = device.interfaces.map(({ driver }) => driver);
  if (isOfQemu(type)) {
    // QEMU takes the interfaces when it opens a device, and shows as usbfs on them when the guest configures it.
    if (drivers.some((driver) => driver !== undefined && driver !== USBFS)) return 'not-opened';
    return drivers.includes(USBFS) ? 'in-use' : 'waiting';
  }
  if (drivers.length === 0 || drivers.some((driver) => driver !== USBBACK)) return 'not-opened';
  return frontendState === XenbusState.connected ? 'in-use' : 'waiting';
}
