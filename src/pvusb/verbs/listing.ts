/** The operations that only read. */
import type { Busid, UsbDevice } from '../../sysfs/index.js';
import { toPvusbError } from '../model/failure.js';
import {
  allPorts,
  type DomainName,
  deviceAt,
  emptyPort,
  findController,
  findDomain,
  isAlive,
  noSuchPort,
  savedFor,
} from '../model/find.js';
import type { Controller, Inventory, QemuAnswer } from '../model/inventory.js';
import type { CallOptions, Host } from '../observe/host.js';
import { observe } from '../observe/observe.js';
import { askQemu } from '../observe/qemu.js';
import { portState } from '../types/port-state.js';
import type { PortState } from '../types/served-type.js';
import { isOfQemu, servedTypeOn } from '../types/types.js';
import type { Attachment } from './attach.js';

/** What to list: one domain, or all. */
export interface ListRequest {
  readonly domain?: DomainName | undefined;
}

/** Options of {@link listControllers}. */
export interface ListOptions extends CallOptions {
  /** Whether to ask QEMUs where only they know whether a guest has a device; true unless given. */
  readonly asksQemu?: boolean | undefined;
  /** A fresh observation of the whole host: only QEMUs are queried. */
  readonly from?: Inventory | undefined;
}

/** A device that no guest has configured: the guest takes its time, or its QEMU is dead. */
function qemusInDoubt(seen: Inventory): number[] {
  const inDoubt = seen.controllers.filter((controller) => {
    const isWaiting = controller.ports.some((port) => portState(seen, { controller, port }) === 'waiting');
    return isWaiting && isOfQemu(controller) && isAlive(seen, controller.domid);
  });
  return [...new Set(inDoubt.map(({ domid }) => domid))];
}

/**
 * The controllers of one domain or of all, with their ports.
 *
 * @throws {PvusbError} `no-such-domain`, or one of the host's
 */
export async function listControllers(
  host: Host,
  request: ListRequest = {},
  options: ListOptions = {},
): Promise<readonly Controller[]> {
  return (await listInventory(host, request, options)).controllers;
}

/**
 * What a list is made from: the controllers of one domain or of all, the devices in their ports, the domains. Cheaper
 * than `observe`, which reads the whole host.
 *
 * @throws {PvusbError} `no-such-domain`, or one of the host's
 */
export async function listInventory(
  host: Host,
  request: ListRequest = {},
  options: ListOptions = {},
): Promise<Inventory> {
  const text = String(request.domain ?? '');
  const only = /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  const { signal, asksQemu = true, from } = options;
  const asks = asksQemu ? qemusInDoubt : undefined;
  const inventory = await observe(host, { signal, asks, scope: 'controllers', only, from });
  if (request.domain === undefined) return inventory;
  const { domid } = findDomain(inventory, request.domain);
  return {
    ...inventory,
    controllers: inventory.controllers.filter((controller) => controller.domid === domid),
  };
}

/** A controller, and what its QEMU says when it has one. */
export interface ControllerDetails extends Controller {
  readonly qemu?: QemuAnswer;
  /** What serves it, if that is our own backend. */
  readonly server?: string;
  /** Its devices that were lent although the host needed them, and why. Unescaped: escape it before printing. */
  readonly forced?: readonly { readonly busid: Busid; readonly reason: string }[];
}

/**
 * One controller of a domain, by its devid. The QEMU that serves it is asked.
 *
 * @throws {PvusbError} `no-such-domain`, `no-such-controller`
 */
export async function controllerInfo(
  host: Host,
  request: { readonly domain: DomainName; readonly devid: number },
  options: Omit<ListOptions, 'asksQemu'> = {},
): Promise<ControllerDetails> {
  const inventory = await listInventory(host, { domain: request.domain }, options);
  const { domid, alive } = findDomain(inventory, request.domain);
  const found = findController(inventory, domid, request.devid);
  const forced = allPorts(found).flatMap(({ busid }) => {
    const reason = busid && savedFor(inventory, busid)?.forced;
    return busid === undefined || reason === undefined ? [] : { busid, reason };
  });
  const server =
    inventory.backend && found.type === 'pv' ? { server: servedTypeOn(inventory, 'pv').server } : {};
  const controller = { ...found, ...server, ...(forced.length === 0 ? {} : { forced }) };
  if (!alive || !isOfQemu(controller)) return controller;
  try {
    return { ...controller, qemu: await askQemu(host, domid, options) };
  } catch (error) {
    throw toPvusbError(error, { doing: 'asking QEMU', signal: options.signal });
  }
}

/** One attached device, as {@link listDevices} reports it. */
export interface AttachedDevice extends Attachment {
  /** Absent when it has been pulled out. */
  readonly device?: UsbDevice;
  /** What has become of it. */
  readonly state: PortState;
}

/**
 * The attached devices of one domain or of all. One that has been pulled out is listed, without `device`.
 *
 * @throws {PvusbError} `no-such-domain`, or one of the host's
 */
export async function listDevices(
  host: Host,
  request: ListRequest = {},
  options: CallOptions = {},
): Promise<AttachedDevice[]> {
  return devicesOf(await listInventory(host, request, options));
}

function devicesOf(inventory: Inventory): AttachedDevice[] {
  return inventory.controllers.flatMap((controller) =>
    allPorts(controller).flatMap((port) => {
      const { busid } = port;
      const state = portState(inventory, { controller, port });
      if (busid === undefined || state === undefined) return [];
      const device = deviceAt(inventory, busid);
      const { domid, devid } = controller;
      return { domid, devid, port: port.port, busid, state, ...(device === undefined ? {} : { device }) };
    }),
  );
}

/**
 * The device in a port of a controller, even one that has been pulled out.
 *
 * @throws {PvusbError} `no-such-domain`, `no-such-controller`, `no-such-port`, `port-empty`
 */
export async function deviceInPort(
  host: Host,
  request: { readonly domain: DomainName; readonly devid: number; readonly port: number },
  options: CallOptions = {},
): Promise<AttachedDevice> {
  const { devid, port } = request;
  const inventory = await listInventory(host, { domain: request.domain }, options);
  const { domid } = findDomain(inventory, request.domain);
  const controller = findController(inventory, domid, devid);
  const found = devicesOf(inventory).find((device) => device.devid === devid && device.port === port);
  if (found) return found;
  throw port >= 1 && port <= controller.portCount
    ? emptyPort(inventory, controller, port)
    : noSuchPort(inventory, controller, port);
}
