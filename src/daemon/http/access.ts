/** Who may do what: by role, and for an operator by guest and device. */
import type { Role } from '../../api/index.js';
import {
  allPorts,
  type Busid,
  controllersOf,
  type DetachRequest,
  type Domain,
  type DomainName,
  deviceAt,
  findDevice,
  findDomain,
  type Inventory,
  PvusbError,
  parseVirtualName,
  placesOf,
  type QuiescedGuest,
  quiescedDomains,
  type UsbDevice,
  type WantedUsb,
  type Where,
} from '../../pvusb/index.js';
import { busidNamed, virtualPlaces } from '../../pvusb/model/find.js';
import { findQuiesced } from '../../pvusb/plan/quiesce.js';
import type { Actor } from '../service.js';
import { ROLES } from './tokens.js';

/** What an operation may touch: guests, and devices by their busids. */
export interface Touched {
  readonly guests: readonly Domain[] | 'all';
  readonly devices: readonly Busid[] | 'all';
}

/**
 * Refuses somebody with a lesser role.
 *
 * @throws {PvusbError} `not-permitted`
 */
export function requireRole({ name, role }: Actor, needed: Role, what: string): void {
  if (ROLES.indexOf(role) >= ROLES.indexOf(needed)) return;
  throw new PvusbError('not-permitted', `${what} needs the role ${needed}; ${name} is ${role}.`);
}

/** Whether an actor is restricted at all. */
function isRestricted({ role, guests, devices }: Actor): boolean {
  return role === 'operator' && (guests !== undefined || devices !== undefined);
}

/**
 * Refuses an operator who may not touch what an operation touches. `touches` is asked only if that matters.
 *
 * @throws {PvusbError} `not-permitted`; what `touches` throws
 */
export function requireTouch(
  actor: Actor,
  inventory: Inventory,
  touches: (seen: Inventory) => Touched,
): void {
  if (!isRestricted(actor)) return;
  const { guests, devices } = actor;
  const touched = touches(inventory);
  const other = guests && otherGuest(touched, guests);
  if (other !== undefined) {
    const { domid } = other === 'all' ? {} : other;
    throw refusal(actor, domid === undefined ? 'all guests' : `domain ${domid}`, { domid });
  }
  const busid = devices && otherDevice(inventory, touched, devices);
  if (busid !== undefined)
    throw refusal(
      actor,
      busid === 'all' ? 'all devices' : `device ${busid}`,
      busid === 'all' ? {} : { busid },
    );
}

function refusal({ name }: Actor, what: string, where: Where): PvusbError {
  return new PvusbError('not-permitted', `${name} may not touch ${what}.`, { where });
}

/** A guest that is none of those named. */
function otherGuest({ guests }: Touched, named: readonly string[]): Domain | 'all' | undefined {
  if (guests === 'all') return 'all';
  return guests.find((guest) => !named.some((name) => isGuestNamed(guest, name)));
}

/** A device that is none of those named. */
function otherDevice(
  seen: Inventory,
  { devices }: Touched,
  named: readonly string[],
): Busid | 'all' | undefined {
  if (devices === 'all') return 'all';
  return devices.find((busid) => {
    const device = deviceAt(seen, busid);
    return !named.some((name) => name === busid || (device && isDeviceNamed(device, name)));
  });
}

function isGuestNamed({ name, uuid }: Domain, said: string): boolean {
  return said === name || said.toLowerCase() === uuid?.toLowerCase();
}

function isDeviceNamed({ vendorId, productId, serial }: UsbDevice, said: string): boolean {
  const ids = `${vendorId}:${productId}`;
  const lower = said.slice(0, ids.length).toLowerCase() + said.slice(ids.length);
  return lower === ids || (serial !== undefined && lower === `${ids}:${serial}`);
}

/** What lending a device touches. */
export function touchedByAttach(
  seen: Inventory,
  request: { readonly domain: DomainName; readonly device: string },
): Touched {
  return {
    guests: [findDomain(seen, request.domain)],
    devices: [findDevice(seen, request.device).busid],
  };
}

/** What taking one back touches: whoever has it. */
export function touchedByDetach(seen: Inventory, request: DetachRequest): Touched {
  if ('devid' in request) {
    const guest = findDomain(seen, request.domain);
    const ports = controllersOf(seen, guest.domid)
      .filter(({ devid }) => devid === request.devid)
      .flatMap(allPorts);
    const { busid, virtual } = ports.find(({ port }) => port === request.port) ?? {};
    // An unfinished detach has emptied the port: which device it is about is not looked into here. xl, which takes a
    // port with a virtual device for an empty one, may have put another device there: the virtual one goes first.
    return { guests: [guest], devices: busid === undefined || virtual !== undefined ? 'all' : [busid] };
  }
  const { device, domain } = request;
  const virtual = parseVirtualName(device);
  // A device that has been pulled out is still named by its busid.
  const busid = virtual ? undefined : (busidNamed(device) ?? findDevice(seen, device).busid);
  const places = busid ? placesOf(seen, busid) : virtualPlaces(seen, (one) => one === virtual);
  const guests =
    domain === undefined
      ? places.flatMap(({ controller }) => seen.domains.find(({ domid }) => domid === controller.domid) ?? [])
      : [findDomain(seen, domain)];
  // Nobody is restricted to virtual devices: whoever is to devices may touch none.
  const isReal = busid !== undefined && places.every(({ port }) => port.virtual === undefined);
  return { guests: guests.length === 0 ? 'all' : guests, devices: isReal ? [busid] : 'all' };
}

/** What adding a controller touches. */
export function touchedByAdd(seen: Inventory, request: { readonly domain: DomainName }): Touched {
  return { guests: [findDomain(seen, request.domain)], devices: [] };
}

/** What taking a controller from a domain touches, or all of them. */
export function touchedByRemove(
  seen: Inventory,
  request: { readonly domain: DomainName; readonly devid?: number | undefined },
): Touched {
  const guest = findDomain(seen, request.domain);
  const controllers = controllersOf(seen, guest.domid).filter(
    ({ devid }) => devid === (request.devid ?? devid),
  );
  const ports = controllers.flatMap(allPorts);
  const devices = ports.some(({ virtual }) => virtual) ? 'all' : ports.flatMap(({ busid }) => busid ?? []);
  return { guests: [guest], devices };
}

/** What making a domain match a configuration touches: what it has, and what it is to have. */
export function touchedByApply(
  seen: Inventory,
  request: { readonly domain: DomainName; readonly usb: WantedUsb },
): Touched {
  const { guests, devices } = touchedByRemove(seen, { domain: request.domain });
  const wanted = (request.usb.devices ?? []).map(({ device }) => findDevice(seen, device).busid);
  return { guests, devices: devices === 'all' ? devices : [...devices, ...wanted] };
}

/** What giving a guest back what it had touches; nobody knows what that would be where it is not known. */
export function touchedByRestore(seen: Inventory, guest: QuiescedGuest | undefined): Touched {
  if (!guest) return { guests: 'all', devices: 'all' };
  const guests = quiescedDomains(seen, guest);
  return {
    guests: guests.length === 0 ? 'all' : guests,
    devices: guest.devices.map((one) => findQuiesced(seen, one)?.busid ?? one.busid),
  };
}

/** What the rules may touch: a guest or all, and any device. */
export function touchedByRules(
  seen: Inventory,
  request: { readonly domain?: DomainName | undefined },
): Touched {
  return {
    guests: request.domain === undefined ? 'all' : [findDomain(seen, request.domain)],
    devices: 'all',
  };
}
