/** Which port a device goes to: the one asked for, or the first that can have it. Pure. */

import { USUAL_VERSION, VERSION_MAX } from '../../libxl/controller-type.js';
import { parseBusid } from '../../sysfs/busid.js';
import { PvusbError } from '../model/errors.js';
import {
  allPorts,
  controllersOf,
  findController,
  hostControllers,
  isTaken,
  noSuchPort,
  qemuOf,
} from '../model/find.js';
import {
  type Controller,
  type ControllerType,
  type Domain,
  type Inventory,
  XenbusState,
} from '../model/inventory.js';
import { portPath, virtualPath } from '../model/layout.js';
import type { Target } from '../model/request.js';
import { isServed, requireServed, type Served } from '../model/served.js';
import { capitalise, nameController, nameDomain } from '../model/wording.js';
import {
  portsAtOf,
  servedType,
  servedTypeOf,
  servedTypeOn,
  serviceProblem,
  speedProblem,
} from '../types/types.js';
import { resolveController, resolveType, usualPorts } from './resolve.js';

/** Where a device should go; what is absent is chosen. */
export interface AttachRequest {
  readonly devid?: number | undefined;
  readonly port?: number | undefined;
  /**
   * Why it is attached although the host needs it or a rule denies it: a reason for whoever asks later, at most 200
   * characters. Absent: then it is not attached.
   */
  readonly force?: string | undefined;
}

/** A device that wants a port. */
interface Wanting {
  /** Its busid, or its name as a virtual device. */
  readonly busid: string;
  /** Mbit/s; 0 if it is not known. */
  readonly speedMbps: number;
  /** The only type that can serve it; absent: any. */
  readonly onlyType?: ControllerType;
}

/**
 * The port for a device.
 *
 * @throws {PvusbError} of the group `refused`, or of the host's when the QEMU cannot be asked
 */
export function chooseTarget(
  inventory: Inventory,
  domain: Domain,
  device: Wanting,
  request: AttachRequest,
): Target {
  const { domid } = domain;
  const { devid, port } = request;
  const where = { domid, devid, port, busid: device.busid };
  if (domid === 0) {
    const sentence = `Domain 0 already has ${device.busid}, as it has every device.`;
    throw new PvusbError('invalid-argument', sentence, { where });
  }
  if (!domain.alive) {
    const sentence = `${nameDomain(inventory, domid, 'Domain')} is dead.`;
    throw new PvusbError('no-such-domain', sentence, { where });
  }
  if (devid !== undefined) return portOf(inventory, findController(inventory, domid, devid), device, request);
  if (port !== undefined) {
    const sentence = `Port ${port} was given without a controller of ${nameDomain(inventory, domid)}.`;
    const remedy = 'Name the controller that the port belongs to.';
    throw new PvusbError('invalid-argument', sentence, { where, remedy });
  }
  for (const controller of controllersOf(inventory, domid)) {
    if (!isUsable(inventory, controller) || speedProblem(controller, device)) continue;
    if (controller.type !== (device.onlyType ?? controller.type)) continue;
    const served = requireServed(inventory, controller);
    // All ports of a controller share 16 requests: with our own backend each device gets them for itself.
    const isShared = controller.ports.some(isTaken);
    if (isShared && servedTypeOn(inventory, served.type).hasOneDeviceEach) continue;
    const free = freePort(inventory, served);
    if (free !== undefined) return targetAt(inventory, served, free);
  }
  return onNewController(inventory, domain, device);
}

/** A new controller that suits the domain and the device. */
function onNewController(inventory: Inventory, domain: Domain, device: Wanting): Target {
  const { domid } = domain;
  const type = device.onlyType ?? resolveType(inventory, domain, 'auto');
  const version = speedProblem({ type, version: USUAL_VERSION }, device) ? VERSION_MAX : USUAL_VERSION;
  const taken = clashes(inventory, { domid, type });
  let port = 1;
  while (taken.has(port)) port++;
  const ports = Math.max(port, usualPorts(type, version) ?? 0);
  const created = resolveController(inventory, domain, { type, version, ports });
  const { devid } = created;
  const keptEmpty = sameNumber(inventory, { domid, type }, port);
  return { domid, devid, type, port, portsAt: portsAtOf(created), keptEmpty, created };
}

/** The port asked for, or the first free one, of the controller asked for. */
function portOf(
  inventory: Inventory,
  controller: Controller,
  device: Wanting,
  { port }: AttachRequest,
): Target {
  const { domid, devid, portCount, version } = controller;
  const where = { domid, devid, port, busid: device.busid };
  const served = requireServed(inventory, controller);
  const name = nameController(inventory, controller);
  if (served.type !== (device.onlyType ?? served.type)) {
    const sentence = `${capitalise(name)} is of type ${served.type}, and ${device.busid} needs one of type ${device.onlyType}.`;
    throw new PvusbError('unsupported-type', sentence, { where });
  }
  if (!controller.online) {
    throw new PvusbError('controller-closing', `${capitalise(name)} is being removed.`, { where });
  }
  const problem = serviceProblem(inventory, served);
  if (problem) throw problem;
  const speed = speedProblem(controller, device);
  if (speed) {
    const sentence = `${device.busid} (${device.speedMbps} Mbit/s) is ${speed} for ${name}, which is USB ${version}.`;
    throw new PvusbError('speed-mismatch', sentence, { where });
  }
  if (port === undefined) {
    const free = freePort(inventory, served);
    if (free !== undefined) return targetAt(inventory, served, free);
    const sentence = `All ${portCount} ports of ${name} are in use${clashHint(inventory, served)}.`;
    throw new PvusbError('controller-full', sentence, { where });
  }
  const wanted = controller.ports.find((candidate) => candidate.port === port);
  if (!wanted) {
    throw noSuchPort(inventory, controller, port, parseBusid(device.busid));
  }
  if (isTaken(wanted)) {
    const sentence = `Port ${port} of ${name} holds ${wanted.busid ?? wanted.virtual ?? 'something'}.`;
    throw new PvusbError('port-in-use', sentence, { where });
  }
  if (inQemu(inventory, served).has(port)) {
    const sentence = `Port ${port} of ${name} is free, but QEMU has something in it: see "pvusb doctor".`;
    throw new PvusbError('port-in-use', sentence, { where });
  }
  if (clashes(inventory, served).has(port)) {
    const sentence = `Port ${port} of another controller of ${nameDomain(inventory, domid)} is in use, and a QEMU with a device in the same port of two controllers dies.`;
    throw new PvusbError('port-clash', sentence, { where });
  }
  return targetAt(inventory, served, port);
}

function clashHint(inventory: Inventory, controller: Served): string {
  const free = controller.ports.some((port) => !isTaken(port));
  return free && clashes(inventory, controller).size > 0
    ? ', or have the number of a port in use on another controller, which QEMU does not survive'
    : '';
}

/** What an automatic choice considers: controllers that are served, not being removed, and not closed by the guest. */
function isUsable(inventory: Inventory, controller: Controller): boolean {
  if (!isServed(controller) || !controller.online) return false;
  // A frontend that has closed does not connect again until its driver is loaded again.
  const { state = XenbusState.unknown } = controller.untrustedFrontend;
  if (state === XenbusState.closing || state === XenbusState.closed) return false;
  const hasBackend = servedType(controller.type).backend !== undefined;
  if (hasBackend && controller.backendState === undefined) return false;
  return serviceProblem(inventory, controller) === undefined;
}

function freePort(inventory: Inventory, controller: Served): number | undefined {
  const clashing = clashes(inventory, controller);
  const held = inQemu(inventory, controller);
  return controller.ports.find((port) => !isTaken(port) && !clashing.has(port.port) && !held.has(port.port))
    ?.port;
}

/** Ports in which QEMU has something, whatever xenstore says. */
function inQemu(inventory: Inventory, { domid, devid, type }: Served): Set<number> {
  const devices = qemuOf(inventory, domid)?.devices ?? [];
  return new Set(
    devices.filter((device) => device.type === type && device.devid === devid).map(({ port }) => port),
  );
}

/** The other controllers of a domain whose port numbers must differ from this one's. */
function siblings(
  inventory: Inventory,
  {
    domid,
    devid,
    type,
  }: { readonly domid: number; readonly devid?: number; readonly type: Controller['type'] },
): Controller[] {
  if (!servedTypeOf({ type })?.hasClashingPorts) return [];
  return hostControllers(inventory).filter(
    (other) => other.type === type && other.domid === domid && other.devid !== devid,
  );
}

/** Port numbers in use on controllers whose ports must have other numbers. */
function clashes(
  inventory: Inventory,
  controller: { readonly domid: number; readonly devid?: number; readonly type: ControllerType },
): Set<number> {
  const others = siblings(inventory, controller).flatMap(allPorts);
  return new Set(others.filter(isTaken).map(({ port }) => port));
}

/** The ports with that number on other controllers of the domain that must stay empty while this one holds something. */
export function sameNumber(
  inventory: Inventory,
  controller: { readonly domid: number; readonly devid?: number; readonly type: Controller['type'] },
  port: number,
): string[] {
  return siblings(inventory, controller)
    .filter(({ ports }) => ports.some((other) => other.port === port))
    .flatMap(({ portsAt }) => (portsAt === undefined ? [] : portPath(portsAt, port)));
}

function targetAt(inventory: Inventory, controller: Served, port: number): Target {
  const { domid, devid, type, portsAt } = controller;
  const keptEmpty = sameNumber(inventory, controller, port);
  // Where our own backend serves, there may be a virtual device.
  if (servedTypeOn(inventory, type).servesVirtual) keptEmpty.push(virtualPath(controller, port));
  return { domid, devid, type, port, portsAt, keptEmpty };
}
