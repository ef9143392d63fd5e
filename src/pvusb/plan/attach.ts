/** Plans that lend a device to a guest. Pure. */
import type { UsbDevice } from '../../sysfs/index.js';
import { USBBACK } from '../model/drivers.js';
import { PvusbError } from '../model/errors.js';
import { placesOf } from '../model/find.js';
import type { Domain, Inventory } from '../model/inventory.js';
import type { Plan, Step } from '../model/plan.js';
import { bindSteps, claimStep, holdStep, lendStep, lookStep, verifyStep } from './claim.js';
import { addSteps, emulateStep, servedStep } from './controller.js';
import { type AttachRequest, chooseTarget, type Target } from './target.js';

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
      title: `attach ${device.busid} to port ${target.port} of controller ${target.devid} of domain ${target.domid}`,
      steps: [
        ...(target.created ? addSteps(inventory, target.created) : []),
        ...(target.isNew ? [servedStep(target)] : []),
        ...(target.missing
          ? [emulateStep({ ...target.missing, ports: target.missing.portCount }, false)]
          : []),
        claimStep(inventory, device, target),
        verifyStep(device),
        ...handOver(device, target),
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
  const { port } = place.port;
  throw new PvusbError(
    'already-attached',
    `${busid} is attached to port ${port} of controller ${devid} of domain ${domid}.`,
    { where: { domid, devid, port, busid } },
  );
}

/** usbback tells a guest of a device when it gets its interfaces: of one that it has already, nobody hears. */
function requireWhole({ busid, interfaces }: UsbDevice): void {
  if (!interfaces.some(({ driver }) => driver === USBBACK)) return;
  throw new PvusbError('half-attached', `${busid} is on usbback, but in no port.`, { where: { busid } });
}

function handOver(device: UsbDevice, target: Target): Step[] {
  switch (target.type) {
    case 'pv':
      return bindSteps(device);
    case 'qusb':
      return [holdStep(device, target)];
    case 'devicemodel':
      return [lendStep(device, target)];
  }
}
