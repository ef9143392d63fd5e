/** Type qusb: the guest's QEMU follows xenstore, opens what a port names, and serves it to the guest's xen-hcd. */
import type { Busid } from '../../sysfs/busid.js';
import { USBFS } from '../model/drivers.js';
import { PvusbError } from '../model/errors.js';
import { controllersOf, domainAt, hostControllers, isAlive, qemuOf } from '../model/find.js';
import { type Inventory, XenbusState } from '../model/inventory.js';
import { type ControllerId, DRIVER_PATH_KEY, portPath, qusbOfferPath } from '../model/layout.js';
import type { Action, Step } from '../model/plan.js';
import { isServed, type Served } from '../model/served.js';
import { type Named, nameDomain } from '../model/wording.js';
import { closingSteps, isNew, isOnline, servedStep } from './backend.js';
import {
  examineInQemu,
  hasQemu,
  isOnUsbfs,
  isOpenInQemu,
  isTakenByQemu,
  lentToQemu,
  modelProblem,
  QEMU_WITHIN_MS,
} from './qemu.js';
import type { ServedType } from './served-type.js';

const SERVER = 'QEMU';
const BACKEND = 'qusb';

/** Mbit/s of the fastest device that a USB 1.1 bus takes. */
const FULL_SPEED = 12;

/** The record of type qusb. */
export const QUSB: ServedType = {
  server: SERVER,
  summary: "served by the guest's QEMU",
  needs: 'needs usbctrl=["type=qusb"] in the guest\'s configuration',
  notTaken: "the host's drivers have it, or QEMU does not have it open",
  backend: BACKEND,
  isOfQemu: true,
  isEmulated: false,
  needsUsbback: false,
  hasOneDeviceEach: false,
  servesVirtual: false,
  // QEMU 7.2 aborts when two of its devices have the same one (vmstate_register_with_alias_id).
  hasClashingPorts: true,
  lentDriver: USBFS,
  recordKey: DRIVER_PATH_KEY,

  isUsualFor: ({ usbback, backend }, { type }) => type !== 'hvm' && !usbback && backend === undefined,

  // It is served through xenstore, and sysfs shows what becomes of it: its QEMU may be silent.
  serviceProblem: (inventory, controller) =>
    modelProblem(inventory, controller, 'qusb', true) ?? versionProblem(inventory, controller),

  // What QEMU refuses without telling anyone (`hw/usb/xen-usb.c`: "wrong speed").
  speedProblem: (version, speedMbps) => (version === 1 && speedMbps > FULL_SPEED ? 'too fast' : undefined),

  offer: ({ domid }) => [{ fact: 'present', path: qusbOfferPath(domid) }],
  serve: (inventory, controller) => servedStep(inventory, SERVER, BACKEND, controller),
  serveRecorded: (inventory, controller) =>
    isNew(controller) ? [servedStep(inventory, SERVER, BACKEND, controller)] : [],
  close: (inventory, controller, request) =>
    closingSteps(inventory, SERVER, controller, request, isAnswered(inventory, controller)),

  isThere: isOnline,
  /** QEMU follows the port node by itself; the plan waits to see whether it could open the device. */
  handOver: (inventory, { busid }, { domid, devid, port }) => [
    openStep(inventory, { domid, devid, port }, busid),
  ],
  takeBack: (target, { busid }) => [releaseAction(target, busid)],
  letGo(inventory, { controller: { domid, devid }, port: { port, busid } }) {
    if (busid === undefined || !hasQemu(inventory, domid)) return { before: [], after: [] };
    return { before: [], after: [releaseStep(inventory, { domid, devid, port }, busid)] };
  },
  /** A detach through a living QEMU, interrupted after it freed the port: QEMU may still have the device. */
  letGoLate(inventory, { busid }, origin) {
    return hostControllers(inventory)
      .filter(isServed)
      .filter(({ type, domid }) => type === 'qusb' && isAlive(inventory, domid))
      .flatMap(({ domid, devid, ports, portsAt }) =>
        ports
          .filter(({ port }) => portPath(portsAt, port) === origin)
          .map(({ port }) => releaseStep(inventory, { domid, devid, port }, busid)),
      );
  },
  isTakenBy: isTakenByQemu,

  lentState: lentToQemu,
  mayTake: (frontendState) => frontendState === XenbusState.connected,
  isOpen: isOpenInQemu,
  examine(inventory, place, device, state) {
    const isOpen = isOpenInQemu(inventory, place);
    const fault = examineInQemu(state, isOpen, isOnUsbfs(device));
    if (fault) return fault;
    // Observed with QEMU 7.2: it opens what is plugged into the socket again, but does not tell the guest.
    const mayNotice = place.controller.untrustedFrontend.state === XenbusState.connected;
    return state === 'waiting' && isOpen === true && mayNotice ? 'unnoticed-device' : undefined;
  },
};

/** The first QEMU that ends, with everything it serves, when it is given a controller of type qusb. */
const ENDS_SINCE = 10;

/**
 * Why a QEMU must not be given a controller: since 10.0 xen-backend, which serves it, is a dynamic sysbus device, which
 * cannot be added once the machine runs: QEMU ends with an error (observed on Xen with 10.0.13 and 11.1.3).
 */
function versionProblem(inventory: Inventory, { domid, devid }: ControllerId): PvusbError | undefined {
  const version = qemuOf(inventory, domid)?.version;
  // What it serves already shows that it can.
  const serves = controllersOf(inventory, domid).some(
    ({ type, backendState = 0 }) => type === 'qusb' && backendState > XenbusState.initialising,
  );
  if (version === undefined || version.major < ENDS_SINCE || serves) return undefined;
  const name = `QEMU ${version.major}.${version.minor}, which ${nameDomain(inventory, domid)} has,`;
  const sentence = `${name} would end if it were given a controller of type qusb.`;
  return new PvusbError('no-device-model', sentence, { where: { domid, devid } });
}

/** QEMU closes when the guest does: a guest that never connected never will. */
function isAnswered(inventory: Inventory, { domid, untrustedFrontend: { state } }: Served): boolean {
  if (!isAlive(inventory, domid) || qemuOf(inventory, domid)?.health === 'dead') return false;
  if (!domainAt(inventory, domid)?.deviceModel?.running) return false;
  return state !== undefined && state >= XenbusState.initialised && state <= XenbusState.closing;
}

/** A port of a controller that a QEMU serves. */
type QemuPort = ControllerId & { readonly port: number };

/** Waits until QEMU has opened the device that a port names. */
export function openStep(named: Named, { domid, devid, port }: QemuPort, busid: Busid): Step {
  return {
    why: `let the QEMU of ${nameDomain(named, domid)} open ${busid}`,
    act: { do: 'hold', domid, devid, port, busid, withinMs: QEMU_WITHIN_MS },
  };
}

/** Waits until QEMU has followed a port that was freed. */
export function releaseStep(named: Named, at: QemuPort, busid: Busid): Step {
  const why = `let the QEMU of ${nameDomain(named, at.domid)} let go of ${busid}`;
  return { why, act: releaseAction(at, busid) };
}

function releaseAction({ domid, devid, port }: QemuPort, busid: Busid): Action {
  return { do: 'release', domid, devid, port, busid, withinMs: QEMU_WITHIN_MS };
}
