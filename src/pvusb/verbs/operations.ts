/** The operations that change a host. */
import { type Busid, parseBusid, type UsbDevice } from '../../sysfs/index.js';
import { PvusbError } from '../model/errors.js';
import {
  allPorts,
  controllersOf,
  deviceAt,
  emptyPort,
  findController,
  findDevice,
  findDomain,
  isTaken,
  noSuchPort,
  type Place,
  placesOf,
} from '../model/find.js';
import type { ControllerType, Inventory } from '../model/inventory.js';
import type { Target } from '../model/request.js';
import { isServed, requireServed } from '../model/served.js';
import type { Host } from '../observe/host.js';
import { planAttach } from '../plan/attach.js';
import { planAddController, planRemoveController } from '../plan/controller.js';
import { planDetach, unfinishedDetaches } from '../plan/detach.js';
import { type ControllerRequest, resolveController, resolveType } from '../plan/resolve.js';
import type { AttachRequest } from '../plan/target.js';
import type { PortState } from '../types/served-type.js';
import { watchAttachment } from './attachment.js';
import { type OperationOptions, type Outcome, operate, type Planner, qemuFor } from './operate.js';

/** A domain by its number or its name; a text of digits is a number. */
export type DomainName = string | number;

/** A controller that was added. */
export interface AddedController {
  readonly domid: number;
  readonly devid: number;
  readonly type: string;
  readonly version: number;
  readonly ports: number;
}

/** Where a device is attached. */
export interface Attachment {
  readonly domid: number;
  readonly devid: number;
  readonly port: number;
  readonly busid: Busid;
}

/**
 * Adds a virtual USB controller to a domain and waits until usbback or QEMU serves it.
 *
 * @throws {PvusbError} `no-such-domain`, `controller-exists`, `invalid-argument`, `no-usbback`, `no-device-model`,
 *   `qemu-dead`, `qemu-refused`, `unsupported-type`, `unsupported-backend`, `state-timeout`, `domain-gone`, or one of the host's
 */
export function addController(
  host: Host,
  request: ControllerRequest & { readonly domain: DomainName },
  options: OperationOptions = {},
): Promise<Outcome<AddedController>> {
  const planner: Planner<AddedController> = (inventory) => {
    const controller = resolveController(inventory, findDomain(inventory, request.domain), request);
    return { plan: planAddController(inventory, controller), result: controller };
  };
  return operate(host, options, planner, (seen) => {
    const domain = findDomain(seen, request.domain);
    return qemuFor(domain, [resolveType(seen, domain, request.type ?? 'auto')]);
  });
}

/**
 * Detaches every device of a controller and removes it. With `destroy` the guest is not waited for.
 *
 * @throws {PvusbError} `no-such-domain`, `no-such-controller`, `unsupported-type`, `state-timeout` (run it again,
 *   or destroy it), `driver-not-restored`
 */
export function removeController(
  host: Host,
  request: { readonly domain: DomainName; readonly devid: number; readonly destroy?: boolean | undefined },
  options: OperationOptions = {},
): Promise<Outcome<{ readonly domid: number; readonly devid: number }>> {
  const planner: Planner<{ readonly domid: number; readonly devid: number }> = (inventory) => {
    const { domid } = findDomain(inventory, request.domain);
    const controller = findController(inventory, domid, request.devid);
    const plan = planRemoveController(inventory, controller, { destroy: request.destroy ?? false });
    return { plan, result: { domid, devid: request.devid } };
  };
  return operate(host, options, planner, (seen) => {
    const domain = findDomain(seen, request.domain);
    return qemuFor(domain, [findController(seen, domain.domid, request.devid).type]);
  });
}

/** Options of {@link attachDevice}. */
export interface AttachOptions extends OperationOptions {
  /** How long the guest may take to use the device before its state is told as it is; 3,000 ms unless given. */
  readonly watchMs?: number | undefined;
}

/** A device that was attached, and what has become of it. */
export interface Attached extends Attachment {
  readonly type: ControllerType;
  /** Absent in a dry run, and when it could not be seen. */
  readonly state?: PortState;
}

/**
 * Takes every device of a domain back and removes its controllers, without waiting for the guest; the domain may be
 * dead. Controllers of a kind that is not known are left alone.
 *
 * @throws {PvusbError} `no-such-domain`, `driver-not-restored`; can be run again from any half-way point
 */
export function releaseDomain(
  host: Host,
  request: { readonly domain: DomainName },
  options: OperationOptions = {},
): Promise<Outcome<Released>> {
  const planner: Planner<Released> = (inventory) => {
    const { domid } = findDomain(inventory, request.domain);
    const ours = controllersOf(inventory, domid).filter(isServed);
    const steps = ours.flatMap(
      (controller) => planRemoveController(inventory, controller, { destroy: true }).steps,
    );
    const busids = ours.flatMap(({ ports }) => ports.flatMap(({ busid }) => busid ?? []));
    const plan = { title: `release domain ${domid}`, steps, onFailure: 'stop' } as const;
    return { plan, result: { domid, devids: ours.map(({ devid }) => devid), busids } };
  };
  return operate(host, options, planner, (seen) => {
    const domain = findDomain(seen, request.domain);
    return qemuFor(
      domain,
      controllersOf(seen, domain.domid).map(({ type }) => type),
    );
  });
}

/** What {@link releaseDomain} took from a domain. */
export interface Released {
  readonly domid: number;
  /** The controllers that were removed. */
  readonly devids: readonly number[];
  /** The devices that were given back. */
  readonly busids: readonly Busid[];
}

/** Names a plugged-in device, for {@link attachDevice}. */
export type DeviceName = string | { readonly hostbus: number; readonly hostaddr: number };

/**
 * Lends a device to a domain: on the port asked for, the first free one of the controller asked for, or the
 * first free one of any controller, made if there is none.
 *
 * @throws {PvusbError} `no-such-domain`, `no-such-device`, `ambiguous-device`, `is-hub`, `is-root-hub`,
 *   `already-attached`, `no-such-controller`, `no-such-port`, `port-in-use`, `controller-full`, `no-usbback`,
 *   `no-device-model`, `not-opened`, `port-clash`, `speed-mismatch`, `qemu-dead`, `qemu-busy`, `qemu-timeout`...;
 *   nothing is left of a failed attach, or the code is `rollback-failed`
 */
export async function attachDevice(
  host: Host,
  request: AttachRequest & { readonly domain: DomainName; readonly device: DeviceName },
  options: AttachOptions = {},
): Promise<Outcome<Attached>> {
  const planner: Planner<{ readonly attachment: Attached; readonly target: Target }> = (inventory) => {
    const domain = findDomain(inventory, request.domain);
    const device = namedDevice(inventory, request.device);
    const { plan, target } = planAttach(inventory, domain, device, request);
    const { domid, devid, port, type } = target;
    return { plan, result: { attachment: { domid, devid, port, busid: device.busid, type }, target } };
  };
  const { plan, result } = await operate(host, options, planner, (seen) => {
    const domain = findDomain(seen, request.domain);
    const there = controllersOf(seen, domain.domid);
    const types = there.filter(({ devid }) => devid === (request.devid ?? devid)).map(({ type }) => type);
    return qemuFor(
      domain,
      request.devid === undefined ? [...types, resolveType(seen, domain, 'auto')] : types,
    );
  });
  const { attachment, target } = result;
  if (options.dryRun) return { plan, result: attachment };
  const watched = { ...attachment, isNew: target.created !== undefined };
  const { signal, watchMs } = options;
  const state = await watchAttachment(host, watched, { signal, withinMs: watchMs });
  return { plan, result: { ...attachment, ...(state === undefined ? {} : { state }) } };
}

function namedDevice(inventory: Inventory, name: DeviceName): UsbDevice {
  return findDevice(inventory, typeof name === 'string' ? name : `${name.hostbus}.${name.hostaddr}`);
}

/** What to detach: a port, or the port that holds a device (also one that has been pulled out, by its busid). */
export type DetachRequest =
  | { readonly domain: DomainName; readonly devid: number; readonly port: number }
  | { readonly device: string; readonly domain?: DomainName | undefined };

/**
 * Takes a device back: off usbback or out of QEMU, out of the port, back to the drivers that the host had for it. Can be run
 * again from any half-way point.
 *
 * @throws {PvusbError} `no-such-domain`, `no-such-controller`, `no-such-port`, `port-empty`, `no-such-device`,
 *   `driver-not-restored` (the device is detached, but a driver did not take it back)
 */
export function detachDevice(
  host: Host,
  request: DetachRequest,
  options: OperationOptions = {},
): Promise<Outcome<Omit<Attachment, 'busid'> & { readonly busid?: Busid }>> {
  return operate(host, options, (inventory) => {
    const place = 'device' in request ? placeOfDevice(inventory, request) : placeAt(inventory, request);
    requireServed(place.controller);
    const { domid, devid } = place.controller;
    const { port, busid = unfinishedDetaches(inventory, place)[0] } = place.port;
    const result = { domid, devid, port, ...(busid === undefined ? {} : { busid }) };
    return { plan: planDetach(inventory, place), result };
  });
}

function placeAt(
  inventory: Inventory,
  request: { readonly domain: DomainName; readonly devid: number; readonly port: number },
): Place {
  const { domid } = findDomain(inventory, request.domain);
  const controller = findController(inventory, domid, request.devid);
  const port = allPorts(controller).find((candidate) => candidate.port === request.port);
  if (!port) throw noSuchPort(controller, request.port);
  if (!isTaken(port) && unfinishedDetaches(inventory, { controller, port }).length === 0) {
    throw emptyPort(controller, request.port);
  }
  return { controller, port };
}

function placeOfDevice(
  inventory: Inventory,
  request: { readonly device: string; readonly domain?: DomainName | undefined },
): Place {
  // The busid of a device that is not plugged in any more is still a name for its port.
  const busid = parseBusid(request.device) ?? findDevice(inventory, request.device).busid;
  const domid = request.domain === undefined ? undefined : findDomain(inventory, request.domain).domid;
  const places = placesOf(inventory, busid).filter(
    ({ controller }) => (domid ?? controller.domid) === controller.domid,
  );
  const place = places[0] ?? placeLeft(inventory, busid, domid);
  if (place) return place;
  if (!deviceAt(inventory, busid)) {
    throw new PvusbError('no-such-device', `No USB device "${busid}" is plugged in or attached.`, {
      where: { busid },
    });
  }
  const to = domid === undefined ? 'any domain' : `domain ${domid}`;
  throw new PvusbError('port-empty', `${busid} is not attached to ${to}.`, { where: { busid, domid } });
}

/** The empty port that an interrupted detach took a device from. */
function placeLeft(inventory: Inventory, busid: Busid, domid: number | undefined): Place | undefined {
  return inventory.controllers
    .filter((controller) => (domid ?? controller.domid) === controller.domid)
    .flatMap((controller) => controller.ports.map((port): Place => ({ controller, port })))
    .find((place) => unfinishedDetaches(inventory, place).includes(busid));
}
