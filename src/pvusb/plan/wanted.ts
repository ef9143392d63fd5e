/** What a configuration asks for, and whether it is meant for the domain. Pure. */
import type { Busid } from '../../sysfs/busid.js';
import { formatIdentity } from '../../sysfs/identity.js';
import { PvusbError } from '../model/errors.js';
import { findDevice } from '../model/find.js';
import type { Domain, Inventory } from '../model/inventory.js';
import { labelDomain } from '../model/wording.js';
import type { ControllerRequest } from './resolve.js';

/** What a configuration says about a domain's USB. Leaving out both lists does not ask for nothing; empty lists do. */
export interface WantedUsb {
  /** The domain that it is for, if it says so: no other domain gets it. */
  readonly name?: string | undefined;
  /** None, if only devices are mentioned. */
  readonly controllers?: readonly WantedController[] | undefined;
  /** None, if only controllers are mentioned. */
  readonly devices?: readonly WantedDevice[] | undefined;
  /** Where all this was said, for errors: `u1.cfg`. */
  readonly said?: string | undefined;
}

/** A controller that a domain should have. Without a type any will do; version and ports have defaults. */
export interface WantedController extends Omit<ControllerRequest, 'devid'> {
  readonly devid: number;
  /** Where that was said, for the error: `u1.cfg:3:12`. */
  readonly said?: string | undefined;
}

/** A device that a domain should have. */
export interface WantedDevice {
  /** As for an attach: busid, `bus.address`, ids, ids and serial number. */
  readonly device: string;
  /** On this controller; any unless given. */
  readonly devid?: number | undefined;
  /** In this port of the controller; any unless given. */
  readonly port?: number | undefined;
  /** Where that was said, for the error. */
  readonly said?: string | undefined;
}

/** What is left alone. */
export interface ApplyRules {
  /** Keep what the domain has beyond the configuration, where it is. */
  readonly addsOnly?: boolean | undefined;
  /** A configuration that says nothing about USB takes everything away. */
  readonly takesAll?: boolean | undefined;
}

/** What is asked for, with every device looked up: addresses may change while changes are made. */
export interface FoundUsb {
  readonly controllers: readonly WantedController[];
  readonly devices: readonly FoundDevice[];
}

/** A device that was asked for. */
export interface FoundDevice extends Omit<WantedDevice, 'device'> {
  readonly busid: Busid;
  readonly identity: string;
}

/** What to do where nothing would be taken away anyway. */
const RULES_ONLY =
  'Add usbctrl and usbdev to the file (empty lists for none), or name the domain and no file: then only the rules count.';

/**
 * Refuses a configuration that is not meant for this domain: one for another domain, or one that is not about USB and
 * would strip it.
 *
 * @throws {PvusbError} `other-domain`, `no-usb-settings`
 */
export function requireMeant(
  domain: Domain,
  wanted: WantedUsb,
  { takesAll = false, addsOnly = false }: ApplyRules,
): void {
  const { domid, name } = domain;
  const { said = 'The configuration', controllers, devices } = wanted;
  if (name !== undefined && wanted.name !== undefined && wanted.name !== name) {
    const sentence = `${said} is for ${JSON.stringify(wanted.name)}, and not for ${labelDomain(domain)}.`;
    throw new PvusbError('other-domain', sentence, { where: { domid } });
  }
  if (takesAll || controllers !== undefined || devices !== undefined) return;
  const sentence = `${said} names neither USB controllers (usbctrl) nor devices (usbdev) for ${labelDomain(domain)}.`;
  throw new PvusbError('no-usb-settings', sentence, {
    where: { domid },
    remedy: addsOnly ? RULES_ONLY : undefined,
  });
}

/**
 * Finds the devices that a configuration names.
 *
 * @throws {PvusbError} `no-such-device`, `ambiguous-device`; `invalid-argument` for what is asked for twice
 */
export function findWanted(inventory: Inventory, wanted: WantedUsb): FoundUsb {
  const { controllers = [] } = wanted;
  const devices = (wanted.devices ?? []).map(({ device: name, ...asked }): FoundDevice => {
    const device = saying(asked, () => findDevice(inventory, name));
    return { ...asked, busid: device.busid, identity: formatIdentity(device) };
  });
  refuseTwice(devices, ({ busid }) => busid);
  refuseTwice(controllers, ({ devid }) => `Controller ${devid}`);
  // Devices with a given place go first: the others take what is left.
  const placed = devices.filter(({ port }) => port !== undefined);
  refuseTwice(placed, ({ devid, port }) => `Port ${port} of controller ${devid}`);
  return {
    controllers,
    devices: [...placed, ...devices.filter((one) => !placed.includes(one))],
  };
}

/** Runs a planner for something that was asked for; its refusal says where it was asked for. */
export function saying<T>({ said }: { readonly said?: string | undefined }, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (said === undefined || !(error instanceof PvusbError)) throw error;
    const { code, message, where, leftOver } = error;
    // What is wrong in an argument is wrong in a file.
    const ofFile = code === 'invalid-argument' ? 'invalid-configuration' : code;
    throw new PvusbError(ofFile, `${said}: ${message}`, { where, leftOver, cause: error });
  }
}

function refuseTwice<T extends { readonly said?: string | undefined }>(
  all: readonly T[],
  keyOf: (one: T) => string,
): void {
  const keys = all.map(keyOf);
  for (const [i, key] of keys.entries()) {
    if (keys.indexOf(key) === i) continue;
    saying(all[i]!, () => {
      throw new PvusbError('invalid-argument', `${key} is requested twice.`);
    });
  }
}
