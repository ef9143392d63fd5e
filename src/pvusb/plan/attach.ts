/** Plans that lend a device to a guest. Pure. */
import type { UsbDevice } from '../../sysfs/index.js';
import { USBBACK } from '../model/drivers.js';
import { PvusbError } from '../model/errors.js';
import { findControllerOf, placesOf } from '../model/find.js';
import type { Domain, Inventory } from '../model/inventory.js';
import type { Plan, Step } from '../model/plan.js';
import type { Target } from '../model/request.js';
import { isServed } from '../model/served.js';
import { namePort } from '../model/wording.js';
import { servedType } from '../types/types.js';
import { claimStep, lookStep, verifyStep } from './claim.js';
import { addSteps } from './controller.js';
import { type AttachRequest, chooseTarget } from './target.js';

/** The plan, and the port that it chose. */
export interface AttachPlan {
  readonly plan: Plan;
  readonly target: Target;
}

/**
 * Claims a port in one transaction, which looks again at every port of the host, and hands the device over: every
 * interface to usbback, or the whole to the domain's QEMU. Undone, it leaves the host as it was.
 *
 * @throws {PvusbError} of the group `refused`, or of the host's when the QEMU cannot be asked
 */
export function planAttach(
  inventory: Inventory,
  domain: Domain,
  device: UsbDevice,
  request: AttachRequest,
): AttachPlan {
  requireAssignable(inventory, device);
  const target = chooseTarget(inventory, domain, device, request);
  return {
    target,
    plan: {
      title: `attach ${device.busid} to ${namePort(target)}`,
      steps: [
        ...(target.created ? addSteps(inventory, target.created) : serveSteps(inventory, target)),
        claimStep(inventory, device, target),
        verifyStep(device),
        ...servedType(target.type).handOver(device, target),
        lookStep(device, target),
      ],
      onFailure: 'undo',
    },
  };
}

/**
 * Refuses hubs and what some guest has already.
 *
 * @throws {PvusbError} `is-root-hub`, `is-hub`, `already-attached`, `half-attached`
 */
function requireAssignable(inventory: Inventory, device: UsbDevice): void {
  const { busid, kind } = device;
  if (kind === 'root-hub')
    throw new PvusbError('is-root-hub', `${busid} is a root hub.`, { where: { busid } });
  if (kind === 'hub') throw new PvusbError('is-hub', `${busid} is a hub.`, { where: { busid } });
  const place = placesOf(inventory, busid)[0];
  if (!place) {
    requireWhole(device);
    return;
  }
  const { domid, devid } = place.controller;
  const at = { domid, devid, port: place.port.port };
  throw new PvusbError('already-attached', `${busid} is attached to ${namePort(at)}.`, {
    where: { ...at, busid },
  });
}

/** usbback tells a guest of a device when it gets its interfaces: of one that it has already, nobody hears. */
function requireWhole({ busid, interfaces }: UsbDevice): void {
  if (!interfaces.some(({ driver }) => driver === USBBACK)) return;
  throw new PvusbError('half-attached', `${busid} is on usbback, but in no port.`, { where: { busid } });
}

/** Nobody may have taken the controller yet, or its QEMU may not have it any more. */
function serveSteps(inventory: Inventory, { type, ...id }: Target): readonly Step[] {
  const controller = findControllerOf(inventory, id);
  return controller && isServed(controller) ? servedType(type).serveRecorded(inventory, controller) : [];
}
