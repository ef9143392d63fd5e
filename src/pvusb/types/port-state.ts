/** What has become of a device that a port names: given is not yet taken. Pure, but for {@link watchAttachment}. */
import { type Busid, hasIdentity, type UsbDevice } from '../../sysfs/index.js';
import { deviceAt, isOf, type Place, qemuOf, savedFor } from '../model/find.js';
import { type Controller, type ControllerType, type Inventory, XenbusState } from '../model/inventory.js';
import { type ControllerId, frontendPath, parseNumber, savedIdentityPath } from '../model/layout.js';
import type { CallOptions, Host } from '../observe/host.js';
import { USBBACK, USBFS } from '../observe/observe.js';
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

function lentState(
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

/** A port and the device that was put into it. */
export interface Watched extends ControllerId {
  readonly type: ControllerType;
  readonly busid: Busid;
  /** The controller was made for it: its guest has not connected yet. */
  readonly isNew: boolean;
}

/** How long a guest may take to configure a device that it is told of, and the pause between two looks. */
const GUEST_WITHIN_MS = 3_000;
const PAUSE_MS = 50;

/**
 * Looks what becomes of a device that was just attached, until the guest has taken it, for at most `withinMs`; once
 * where the guest has no driver that could. Never fails: undefined when it cannot be seen.
 */
export async function watchAttachment(
  host: Host,
  watched: Watched,
  options: CallOptions & { readonly withinMs?: number | undefined } = {},
): Promise<PortState | undefined> {
  const { signal, withinMs = GUEST_WITHIN_MS } = options;
  const endMs = host.clock.nowMs() + withinMs;
  const paths = [`${frontendPath(watched)}/state`, savedIdentityPath(watched.busid)];
  let seen: PortState | undefined;
  try {
    for (;;) {
      const [[frontend, identity], [device]] = await Promise.all([
        host.xenstore.readMany(paths, { signal }),
        host.sysfs.devices({ signal, wanted: [watched.busid] }),
      ]);
      const isOther = device && identity !== undefined && !hasIdentity(device, identity);
      const guest = parseNumber(frontend);
      seen = isOther ? 'other-device' : lentState(watched.type, device, guest);
      const hasDriver = watched.type === 'devicemodel' || guest === XenbusState.connected;
      if (seen !== 'waiting' || !(watched.isNew || hasDriver) || host.clock.nowMs() >= endMs) return seen;
      await host.clock.sleep(PAUSE_MS, signal);
    }
  } catch {
    // The device is attached all the same.
    return seen;
  }
}
