/** What a requested controller will be: its type, its limits and its number. Pure. */

import { isControllerType, PORT_RANGES, USUAL_VERSION } from '../../libxl/controller-type.js';
import { PvusbError, type PvusbErrorCode } from '../model/errors.js';
import { controllersOf, findDomain, qemuOf } from '../model/find.js';
import type { ControllerType, Domain, Inventory } from '../model/inventory.js';
import type { NewController } from '../model/request.js';
import { countPorts, nameDomain } from '../model/wording.js';
import { serviceProblem, usualType } from '../types/types.js';

/** A controller to be added; what is absent is chosen. */
export interface ControllerRequest {
  readonly type?: ControllerType | 'auto' | undefined;
  readonly version?: number | undefined;
  readonly ports?: number | undefined;
  readonly devid?: number | undefined;
  /** The domain that serves it: its number, or its name. Only domain 0 can, which is the default. */
  readonly backendDomid?: number | undefined;
  readonly backendDomname?: string | undefined;
}

/**
 * Fills in the defaults (version 2, 8 ports, the next devid, type by what the host has) and checks the limits.
 *
 * @throws {PvusbError} `invalid-argument`, `no-usbback`, `no-device-model`, `unsupported-type`,
 *   `unsupported-backend`, `controller-exists`, `no-such-domain`, `qemu-dead`, `qemu-busy`...
 */
export function resolveController(
  inventory: Inventory,
  domain: Domain,
  request: ControllerRequest,
): NewController {
  const { domid } = domain;
  const refuse = (code: PvusbErrorCode, sentence: string): never => {
    throw new PvusbError(code, sentence, { where: { domid, devid: request.devid } });
  };
  if (domid === 0) {
    refuse('invalid-argument', 'Domain 0 already has the USB devices; controllers are for guests.');
  }
  if (!domain.alive) refuse('no-such-domain', `${nameDomain(inventory, domid, 'Domain')} is dead.`);
  const { backendDomname, backendDomid = 0 } = request;
  const backend = backendDomname === undefined ? backendDomid : findDomain(inventory, backendDomname).domid;
  if (backend !== 0) {
    const sentence = `${nameDomain(inventory, backend, 'Domain')} cannot serve a controller of ${nameDomain(inventory, domid)}.`;
    refuse('unsupported-backend', sentence);
  }
  const type = resolveType(inventory, domain, request.type ?? 'auto');
  if (!isControllerType(type))
    return refuse('unsupported-type', `There is no controller type ${String(type)}.`);
  const version = request.version ?? USUAL_VERSION;
  const ports = resolvePorts(type, version, request.ports);
  if (typeof ports === 'string') return refuse('invalid-argument', ports);
  const devid = resolveDevid(inventory, domid, request.devid);
  const problem = serviceProblem(inventory, { domid, devid, type });
  if (problem) throw problem;
  return { domid, devid, type, version, ports };
}

/** The type asked for, or what `auto` means on this host for this domain. */
export function resolveType(
  inventory: Inventory,
  domain: Domain,
  type: ControllerType | 'auto',
): ControllerType {
  return type === 'auto' ? usualType(inventory, domain) : type;
}

/** The default number of ports of a controller; undefined for a version that its type does not support. */
export function usualPorts(type: ControllerType, version: number): number | undefined {
  return PORT_RANGES[type][version]?.usual;
}

/** The number of ports, or why it cannot be. */
function resolvePorts(type: ControllerType, version: number, asked: number | undefined): number | string {
  const range = PORT_RANGES[type][version];
  if (!range) {
    const versions = Object.keys(PORT_RANGES[type]).join(', ');
    return `Type ${type} does not support USB version ${version}, only ${versions}.`;
  }
  const ports = asked ?? range.usual;
  if (Number.isInteger(ports) && ports >= range.min && ports <= range.max) return ports;
  const limits = range.min === range.max ? `always has ${range.min}` : `has ${range.min} to ${range.max}`;
  return `${countPorts(ports)} ${ports === 1 ? 'is' : 'are'} not possible: a controller of type ${type}, USB ${version}, ${limits}.`;
}

function resolveDevid(inventory: Inventory, domid: number, asked: number | undefined): number {
  const orphans = inventory.orphanBackends.filter((orphan) => orphan.domid === domid);
  const recorded = [...controllersOf(inventory, domid), ...orphans].map(({ devid }) => devid);
  // A removed controller that the guest has not released keeps its number in QEMU.
  const taken = [...recorded, ...(qemuOf(inventory, domid)?.controllers ?? [])];
  const devid = asked ?? Math.max(-1, ...taken) + 1;
  const where = { domid, devid };
  if (!Number.isInteger(devid) || devid < 0 || devid > 0xffff) {
    const sentence = `${devid} is not a controller number (0 to 65535).`;
    throw new PvusbError('invalid-argument', sentence, { where });
  }
  if (!taken.includes(devid)) return devid;
  const sentence = recorded.includes(devid)
    ? `${nameDomain(inventory, domid, 'Domain')} already has a USB controller ${devid}.`
    : `The QEMU of ${nameDomain(inventory, domid)} still has a USB controller ${devid}: the guest has not released it.`;
  throw new PvusbError('controller-exists', sentence, { where });
}
