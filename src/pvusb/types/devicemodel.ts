/** Type devicemodel: an HVM guest's QEMU emulates a UHCI, EHCI or xHCI and gets devices through commands. */
import { USBFS } from '../model/drivers.js';
import { PvusbError } from '../model/errors.js';
import { domainAt, qemuOf } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { type ControllerId, DRIVER_PATH_KEY } from '../model/layout.js';
import type { Step } from '../model/plan.js';
import type { NewController } from '../model/request.js';
import { type Named, nameController, nameDomain } from '../model/wording.js';
import { BACKEND_WITHIN_MS } from './backend.js';
import {
  examineInQemu,
  hasQemu,
  isOnUsbfs,
  isOpenInQemu,
  isTakenByQemu,
  lentToQemu,
  modelProblem,
} from './qemu.js';
import type { ServedType } from './served-type.js';

/** Mbit/s of the slowest device that is high-speed. */
const HIGH_SPEED = 480;

/** How long QEMU may take to pass a request on to the guest, which itself is not waited for. */
const ASKED_WITHIN_MS = 500;

/** The record of type devicemodel. */
export const DEVICEMODEL: ServedType = {
  server: 'QEMU',
  summary: "emulated by the HVM guest's QEMU",
  needs: 'needs no Xen driver in the guest',
  notTaken: "the host's drivers have it, or QEMU does not have it open",
  backend: undefined,
  isOfQemu: true,
  isEmulated: true,
  needsUsbback: false,
  hasOneDeviceEach: false,
  servesVirtual: false,
  hasClashingPorts: false,
  lentDriver: USBFS,
  recordKey: DRIVER_PATH_KEY,

  isUsualFor: (_, { type }) => type === 'hvm',

  serviceProblem(inventory, controller) {
    const { domid, devid } = controller;
    const where = { domid, devid };
    if (domainAt(inventory, domid)?.type !== 'hvm') {
      const sentence = `${nameDomain(inventory, domid, 'Domain')} is not an HVM guest, so nothing can emulate a USB controller for it.`;
      return new PvusbError('unsupported-type', sentence, { where });
    }
    return modelProblem(inventory, controller, 'devicemodel', false) ?? silenceProblem(inventory, controller);
  },

  // An EHCI on its own takes only high-speed devices.
  speedProblem: (version, speedMbps) => (version === 2 && speedMbps < HIGH_SPEED ? 'too slow' : undefined),

  offer: () => [],
  serve: (inventory, controller) => emulateStep(inventory, controller, true),
  serveRecorded(inventory, { portCount, ...controller }) {
    const has = qemuOf(inventory, controller.domid)?.controllers;
    const isMissing = has !== undefined && !has.includes(controller.devid);
    return isMissing ? [emulateStep(inventory, { ...controller, ports: portCount }, false)] : [];
  },
  close(inventory, { domid, devid }, { destroy }) {
    if (!hasQemu(inventory, domid)) return [];
    const withinMs = destroy ? ASKED_WITHIN_MS : BACKEND_WITHIN_MS;
    const why = `have QEMU and the guest let go of ${nameController(inventory, { domid, devid })}`;
    return [{ why, act: { do: 'unemulate', domid, devid, withinMs, mayStay: destroy } }];
  },

  isThere: (portsAt) => ({ fact: 'value', path: `${portsAt}/type`, is: 'devicemodel' }),
  handOver: (inventory, { busid, bus, address }, { domid, devid, port }) => [
    {
      why: `have the QEMU of ${nameDomain(inventory, domid)} open ${busid}`,
      act: { do: 'lend', domid, devid, port, busid, bus, address },
      undo: [{ do: 'unlend', domid, devid, port, only: { bus, address } }],
    },
  ],
  takeBack: () => [],
  letGo(inventory, { controller: { domid, devid }, port: { port, busid } }) {
    if (!hasQemu(inventory, domid)) return { before: [], after: [] };
    const why = `have the QEMU of ${nameDomain(inventory, domid)} let go of ${busid}`;
    return { before: [{ why, act: { do: 'unlend', domid, devid, port } }], after: [] };
  },
  letGoLate: () => [],
  isTakenBy: isTakenByQemu,

  lentState: lentToQemu,
  mayTake: () => true,
  isOpen: isOpenInQemu,
  // It gets devices by address, and never what is plugged into a socket later: what it has open was given to it.
  examine(inventory, place, device, state) {
    const isOpen = isOpenInQemu(inventory, place);
    return examineInQemu(state, isOpen, isOnUsbfs(device) || isOpen === true);
  },
};

/** Everything is done by command: nothing can be done with a QEMU that cannot be asked. */
function silenceProblem(inventory: Inventory, { domid, devid }: ControllerId): PvusbError | undefined {
  const {
    health = 'silent',
    why = 'it was not asked',
    code = 'qemu-unreachable',
  } = qemuOf(inventory, domid) ?? {};
  if (health !== 'silent') return undefined;
  const sentence = `The QEMU of ${nameDomain(inventory, domid)} cannot be asked: ${why}.`;
  return new PvusbError(code, sentence, { where: { domid, devid } });
}

/** Has QEMU emulate a controller; with `isNew` false, one that it already emulates is just as good. */
function emulateStep(
  named: Named,
  { domid, devid, version, ports }: Pick<NewController, 'domid' | 'devid' | 'version' | 'ports'>,
  isNew: boolean,
): Step {
  return {
    why: `have QEMU emulate ${nameController(named, { domid, devid })}`,
    act: { do: 'emulate', domid, devid, version, ports, isNew },
    // A guest that has just got it may not have a driver for it yet; QEMU removes it when it can.
    ...(isNew
      ? { undo: [{ do: 'unemulate', domid, devid, withinMs: BACKEND_WITHIN_MS, mayStay: false }] }
      : {}),
  };
}
