/** Type pv where pvusb's own backend serves it: a process that opens what a port names, and shows what became of it. */
import type { Busid } from '../../sysfs/busid.js';
import type { UsbDevice } from '../../sysfs/device.js';
import { USBFS } from '../model/drivers.js';
import { isAlive, isOf, type Place, savedFor } from '../model/find.js';
import { type Inventory, XenbusState } from '../model/inventory.js';
import { backendPath, DRIVER_KEY, PortState as Shown } from '../model/layout.js';
import type { Action, QemuPort, Step } from '../model/plan.js';
import type { VirtualName } from '../model/virtual.js';
import { BACKEND_WITHIN_MS, closingSteps, isNew, isOnline, servedStep } from './backend.js';
import { PV } from './pv.js';
import type { ServedType } from './served-type.js';

const SERVER = 'the pvusb backend';
const BACKEND = 'vusb';

/** Mbit/s of the fastest device that a guest with a USB 1.1 controller can be told of. */
const FULL_SPEED = 12;

/** The record of type pv on a host whose kernel has no usbback. */
export const PV_OWN: ServedType = {
  ...PV,
  server: SERVER,
  notTaken: 'the pvusb backend does not have it open',
  needsUsbback: false,
  hasOneDeviceEach: true,
  servesVirtual: true,
  lentDriver: USBFS,
  // The backend gives devices back itself: when libxl tries to, they are still its own.
  recordKey: DRIVER_KEY,

  speedProblem: (version, speedMbps) => (version === 1 && speedMbps > FULL_SPEED ? 'too fast' : undefined),

  serve: (inventory, controller) => servedStep(inventory, SERVER, BACKEND, controller),
  serveRecorded: (inventory, controller) =>
    isNew(controller) ? [servedStep(inventory, SERVER, BACKEND, controller)] : [],
  close: (inventory, controller, request) =>
    closingSteps(inventory, SERVER, controller, request, isAlive(inventory, controller.domid)),

  isThere: isOnline,
  handOver: (_, { busid }, target) => [openedStep(target, busid)],
  takeBack: (target, { busid }) => [unservedAction(target, busid)],
  letGo(_, { controller: { domid, devid }, port: { port, busid } }) {
    return { before: [], after: busid === undefined ? [] : [releasedStep({ domid, devid, port }, busid)] };
  },
  letGoLate: () => [],
  isTakenBy: (driver) => driver === undefined || driver === USBFS,

  lentState: (device, frontendState, shown) => {
    if (isOnOthers(device) || (shown !== Shown.opened && !isOnUsbfs(device))) return 'not-opened';
    const isUsed = shown === undefined || shown === Shown.configured;
    return isUsed && frontendState === XenbusState.connected ? 'in-use' : 'waiting';
  },
  isOpen: (inventory, place) => {
    // What the backend shows is about the virtual device: it never opens what another toolstack has put into that port.
    if (place.port.virtual !== undefined) return false;
    const shown = shownOf(inventory, place);
    return shown === Shown.opened || shown === Shown.configured;
  },
  examine(inventory, place, device) {
    if (!isOf(savedFor(inventory, device.busid), device, true)) return 'other-device';
    return PV_OWN.isOpen(inventory, place) && !isOnOthers(device) ? undefined : 'port-without-binding';
  },
};

/** What the backend shows of a port; undefined when it shows nothing. */
export function shownOf({ backend }: Inventory, { controller, port }: Place): number | undefined {
  const { domid, devid } = controller;
  return backend?.ports.find((one) => one.domid === domid && one.devid === devid && one.port === port.port)
    ?.state;
}

function isOnUsbfs({ interfaces }: UsbDevice): boolean {
  return interfaces.length > 0 && interfaces.every(({ driver }) => driver === USBFS);
}

/** A driver of the host has part of it, whatever the backend shows. */
function isOnOthers({ interfaces }: UsbDevice): boolean {
  return interfaces.some(({ driver }) => driver !== undefined && driver !== USBFS);
}

/** Waits until the backend has opened the device of a port. */
export function openedStep(place: QemuPort, busid: Busid | VirtualName): Step {
  return { why: `let ${SERVER} open ${busid}`, act: { do: 'served', ...at(place, busid) } };
}

/** Waits until the backend has let go of a port that was freed. */
export function releasedStep(place: QemuPort, busid: Busid | VirtualName): Step {
  return { why: `let ${SERVER} let go of ${busid}`, act: unservedAction(place, busid) };
}

/** What {@link releasedStep} does. */
export function unservedAction(place: QemuPort, busid: Busid | VirtualName): Action {
  return { do: 'unserved', ...at(place, busid) };
}

function at({ domid, devid, port }: QemuPort, busid: Busid | VirtualName) {
  const portsAt = backendPath({ domid, devid }, BACKEND);
  return { domid, devid, port, busid, portsAt, withinMs: BACKEND_WITHIN_MS };
}
