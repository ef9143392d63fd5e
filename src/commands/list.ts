/** Domains, their controllers and ports as data: what `list` answers. */
import {
  type Controller,
  type Domain,
  type DomainName,
  deviceAt,
  findDomain,
  type Inventory,
  type Place,
  type Port,
  type PortState,
  portState,
  savedFor,
} from '../pvusb/index.js';
import type { UsbDevice } from '../sysfs/index.js';

/** A port, and what has become of the device in it. */
export interface ListedPort extends Port {
  readonly state?: PortState | undefined;
  /** Why it was lent although the host needed it. Unescaped. */
  readonly forced?: string | undefined;
  readonly device?: UsbDevice | undefined;
  /** It has been pulled out. */
  readonly missing?: true | undefined;
}

/** A controller with its ports. */
export interface ListedController extends Controller {
  readonly ports: readonly ListedPort[];
}

/** A domain with its controllers. */
export interface ListedDomain extends Domain {
  readonly controllers: readonly ListedController[];
}

/** One domain; or guests, and whatever else has controllers. */
export function shownDomains(inventory: Inventory, domain: DomainName | undefined): Domain[] {
  if (domain !== undefined) return [findDomain(inventory, domain)];
  const having = new Set(inventory.controllers.map(({ domid }) => domid));
  return inventory.domains.filter(({ domid, alive }) => having.has(domid) || (alive && domid !== 0));
}

/** The same as data. */
export function listedDomains(inventory: Inventory, domain: DomainName | undefined): ListedDomain[] {
  return shownDomains(inventory, domain).map((entry) => ({
    ...entry,
    controllers: inventory.controllers
      .filter(({ domid }) => domid === entry.domid)
      .map((controller) => ({
        ...controller,
        ports: controller.ports.map((port) => listedPort(inventory, { controller, port })),
      })),
  }));
}

function listedPort(inventory: Inventory, place: Place): ListedPort {
  const { port } = place;
  const state = portState(inventory, place);
  if (port.busid === undefined) return state === undefined ? port : { ...port, state };
  const device = deviceAt(inventory, port.busid);
  const forced = savedFor(inventory, port.busid)?.forced;
  const seen = { ...port, state, ...(forced === undefined ? {} : { forced }) };
  return device ? { ...seen, device } : { ...seen, missing: true };
}
