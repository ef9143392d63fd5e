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
} from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { requireServed } from '../model/served.js';
import { nameDomain } from '../model/wording.js';
import type { Host } from '../observe/host.js';
import { planDetach, unfinishedDetaches } from '../plan/detach.js';
import type { Attachment } from './attach.js';
import { type OperationOptions, type Outcome, operate } from './operate.js';

/** What to detach: a port, or the port that holds a device (by its busid also one that has been pulled out). */
export type DetachRequest =
  | { readonly domain: DomainName; readonly devid: number; readonly port: number }
  | { readonly device: string; readonly domain?: DomainName | undefined };

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
): Promise<Outcome<Omit<Attachment, 'busid'> & { readonly busid?: Busid }>> {
  return operate(host, options, (inventory) => {
    const place = 'device' in request ? placeOfDevice(inventory, request) : placeAt(inventory, request);
    requireServed(inventory, place.controller);
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

/** The empty port that an interrupted detach took a device from. */
function placeLeft(inventory: Inventory, busid: Busid, domid: number | undefined): Place | undefined {
  return inventory.controllers
    .filter((controller) => (domid ?? controller.domid) === controller.domid)
    .flatMap((controller) => controller.ports.map((port): Place => ({ controller, port })))
    .find((place) => unfinishedDetaches(inventory, place).includes(busid));
}
