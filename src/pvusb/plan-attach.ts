/** Plans that lend a device to a guest through a controller of type pv. Pure. */
import type { UsbDevice } from '../sysfs/index.js';
import { PvusbError } from './errors.js';
import { controllersOf, findController, placesOf } from './find.js';
import { backendPath, type ControllerId } from './layout.js';
import { type Controller, type Domain, type Inventory, XenbusState } from './model.js';
import { USBBACK } from './observe.js';
import type { Plan } from './plan.js';
import { bindSteps, claimStep, lookStep, verifyStep } from './plan-claim.js';
import { addSteps, servedStep } from './plan-controller.js';
import { type NewController, requirePv, resolveController } from './resolve.js';

/** Where a device shall go; what is absent is chosen. */
export interface AttachRequest {
  readonly devid?: number | undefined;
  readonly port?: number | undefined;
}

/** A port that a device is lent to. */
export interface Target extends ControllerId {
  readonly port: number;
  readonly backend: string;
  /** Present when the controller has to be made first. */
  readonly created?: NewController;
  /** True when usbback has not taken the controller yet: it is waited for. */
  readonly isNew?: boolean;
}

/** The plan, and the port that it chose. */
export interface AttachPlan {
  readonly plan: Plan;
  readonly target: Target;
}

/**
 * Claims a port in one transaction, which looks again at every port of the host, and moves every interface of
 * the device to usbback. Undone, it leaves the host as it was.
 *
 * @throws {PvusbError} of the group `refused`
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
        ...(target.created ? addSteps(target.created) : []),
        ...(target.isNew ? [servedStep(target)] : []),
        claimStep(inventory, device, target),
        verifyStep(device),
        ...bindSteps(device),
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
export function requireAssignable(inventory: Inventory, device: UsbDevice): void {
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

function chooseTarget(
  inventory: Inventory,
  domain: Domain,
  device: UsbDevice,
  request: AttachRequest,
): Target {
  const { domid } = domain;
  const { devid, port } = request;
  const where = { domid, devid, port, busid: device.busid };
  if (domid === 0) {
    throw new PvusbError(
      'invalid-argument',
      `Domain 0 has ${device.busid} already, as it has every device.`,
      { where },
    );
  }
  if (!domain.alive) throw new PvusbError('no-such-domain', `Domain ${domid} is dead.`, { where });
  if (devid !== undefined) return portOf(inventory, findController(inventory, domid, devid), request);
  if (port !== undefined) {
    const sentence = `Port ${port} of which controller of domain ${domid}? Name the controller with the port.`;
    throw new PvusbError('invalid-argument', sentence, { where });
  }
  for (const controller of controllersOf(inventory, domid)) {
    const free = isUsable(inventory, controller) ? freePort(controller) : undefined;
    if (free !== undefined) return targetAt(controller, free);
  }
  const created = resolveController(inventory, domain, {});
  return { domid, devid: created.devid, port: 1, backend: backendPath(created, 'vusb'), created };
}

/** The port asked for, or the first free one, of the controller asked for. */
function portOf(inventory: Inventory, controller: Controller, { port }: AttachRequest): Target {
  const { domid, devid, portCount } = controller;
  const where = { domid, devid, port };
  requirePv(controller);
  if (!inventory.usbback) {
    const sentence = `The kernel driver usbback, which serves controller ${devid} of domain ${domid}, is not loaded.`;
    throw new PvusbError('no-usbback', sentence, { where });
  }
  if (!controller.online) {
    throw new PvusbError('controller-closing', `Controller ${devid} of domain ${domid} is being removed.`, {
      where,
    });
  }
  if (port === undefined) {
    const free = freePort(controller);
    if (free !== undefined) return targetAt(controller, free);
    const sentence = `All ${portCount} ports of controller ${devid} of domain ${domid} are in use.`;
    throw new PvusbError('controller-full', sentence, { where });
  }
  const wanted = controller.ports.find((candidate) => candidate.port === port);
  if (!wanted) {
    const sentence = `Controller ${devid} of domain ${domid} has ports 1 to ${portCount}, not ${port}.`;
    throw new PvusbError('no-such-port', sentence, { where });
  }
  if (wanted.busid !== undefined || wanted.untrustedJunk !== undefined) {
    const sentence = `Port ${port} of controller ${devid} of domain ${domid} holds ${wanted.busid ?? 'something'}.`;
    throw new PvusbError('port-in-use', sentence, { where });
  }
  return targetAt(controller, port);
}

/** What an automatic choice takes: a controller that somebody serves and that is not being removed. */
function isUsable(inventory: Inventory, controller: Controller): boolean {
  const { type, backendDomid, online, backendState } = controller;
  return type === 'pv' && backendDomid === 0 && inventory.usbback && online && backendState !== undefined;
}

function freePort(controller: Controller): number | undefined {
  return controller.ports.find(
    ({ busid, untrustedJunk }) => busid === undefined && untrustedJunk === undefined,
  )?.port;
}

function targetAt(controller: Controller, port: number): Target {
  const { domid, devid, backendState } = controller;
  const isNew = backendState === XenbusState.initialising;
  return { domid, devid, port, backend: controller.backend!, isNew };
}
