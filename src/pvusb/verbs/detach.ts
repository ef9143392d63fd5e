/** Taking a device back. */

import type { Busid } from '../../sysfs/busid.js';
import { PvusbError } from '../model/errors.js';
import {
  allPorts,
  busidNamed,
  type DomainName,
  deviceAt,
  emptyPort,
  findController,
  findDevice,
  findDomain,
  isTaken,
  noSuchPort,
  type Place,
  placesOf,
  virtualPlaces,
} from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import type { ControllerId } from '../model/layout.js';
import { requireServed } from '../model/served.js';
import { isMeantAsVirtual, parseVirtualName, type VirtualName } from '../model/virtual.js';
import { nameDomain, namePort } from '../model/wording.js';
import type { Host } from '../observe/host.js';
import { planDetach, unfinishedDetaches } from '../plan/detach.js';
import { notVirtual } from './attach-virtual.js';
import { type OperationOptions, type Outcome, operate } from './operate.js';

/** What to detach: a port, or the port that holds a device (by its busid also one that has been pulled out). */
export type DetachRequest =
  | { readonly domain: DomainName; readonly devid: number; readonly port: number }
  | { readonly device: string; readonly domain?: DomainName | undefined };

/** What was taken, and from where. */
export interface Detached extends ControllerId {
  readonly port: number;
  /** Absent if it was none of the host's devices. */
  readonly busid?: Busid;
  /** The virtual device that was there. */
  readonly virtual?: VirtualName;
}

/**
 * Takes a device back: off usbback or out of QEMU, out of the port, back to the drivers that it had on the host. Can be
 * run again from any half-way point.
 *
 * @throws {PvusbError} `no-such-domain`, `no-such-controller`, `no-such-port`, `port-empty`, `no-such-device`,
 *   `driver-not-restored` (the device is detached, but a driver did not take it back)
 */
export function detachDevice(
  host: Host,
  request: DetachRequest,
  options: OperationOptions = {},
): Promise<Outcome<Detached>> {
  return operate(host, options, (inventory) => {
    const place = 'device' in request ? placeOfDevice(inventory, request) : placeAt(inventory, request);
    requireServed(inventory, place.controller);
    const { domid, devid } = place.controller;
    const { port, busid = unfinishedDetaches(inventory, place)[0], virtual } = place.port;
    const result = {
      ...{ domid, devid, port },
      ...(busid === undefined ? {} : { busid }),
      ...(virtual === undefined ? {} : { virtual }),
    };
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
  if (!port) throw noSuchPort(inventory, controller, request.port);
  if (!isTaken(port) && unfinishedDetaches(inventory, { controller, port }).length === 0) {
    throw emptyPort(inventory, controller, request.port);
  }
  return { controller, port };
}

function placeOfDevice(
  inventory: Inventory,
  request: { readonly device: string; readonly domain?: DomainName | undefined },
): Place {
  const virtual = parseVirtualName(request.device);
  if (virtual !== undefined) return placeOfVirtual(inventory, virtual, request.domain);
  if (isMeantAsVirtual(request.device)) throw notVirtual(request.device);
  // The busid of a device that is no longer plugged in still names its port.
  const busid = busidNamed(request.device) ?? findDevice(inventory, request.device).busid;
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
  const to = domid === undefined ? 'any domain' : nameDomain(inventory, domid);
  throw new PvusbError('port-empty', `${busid} is not attached to ${to}.`, { where: { busid, domid } });
}

function placeOfVirtual(inventory: Inventory, name: VirtualName, domain: DomainName | undefined): Place {
  const domid = domain === undefined ? undefined : findDomain(inventory, domain).domid;
  const places = virtualPlaces(inventory, (one) => one === name).filter(
    ({ controller }) => (domid ?? controller.domid) === controller.domid,
  );
  const [place] = places;
  if (!place) {
    const to = domid === undefined ? 'any domain' : nameDomain(inventory, domid);
    throw new PvusbError('port-empty', `${name} is not attached to ${to}.`, { where: { domid } });
  }
  if (places.length === 1) return place;
  const ports = places.map(({ controller, port }) =>
    namePort(inventory, { domid: controller.domid, devid: controller.devid, port: port.port }),
  );
  throw new PvusbError('ambiguous-device', `${name} is attached to ${ports.join(', ')}.`, {
    remedy: 'Name the domain too, or detach it by domain, controller and port.',
  });
}

/** The empty port that an interrupted detach took a device from. */
function placeLeft(inventory: Inventory, busid: Busid, domid: number | undefined): Place | undefined {
  return inventory.controllers
    .filter((controller) => (domid ?? controller.domid) === controller.domid)
    .flatMap((controller) => controller.ports.map((port): Place => ({ controller, port })))
    .find((place) => unfinishedDetaches(inventory, place).includes(busid));
}
