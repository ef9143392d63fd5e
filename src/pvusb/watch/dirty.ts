/** What events of the store and of the kernel make dirty, judging by their paths. */
import { type Busid, busidOf, parseDeviceName, parseInterfaceId } from '../../sysfs/busid.js';
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN } from '../../xenstore/path.js';
import type { Inventory } from '../model/inventory.js';
import {
  BACKEND_ANNOUNCEMENT,
  BACKEND_KINDS,
  backendsPath,
  controllersPath,
  DEVICE_MODELS,
  decodeBusid,
  LIBXL,
  NAMES,
  parseNumber,
  SAVED_DRIVERS,
} from '../model/layout.js';
import type { Dirty } from '../observe/again.js';

/** The paths that are watched for this. */
export const WATCHED: readonly string[] = [
  INTRODUCE_DOMAIN,
  RELEASE_DOMAIN,
  LIBXL,
  DEVICE_MODELS,
  // `xl rename` writes a name here, too; a watch on the guests' own nodes would report all that they do.
  NAMES,
  ...BACKEND_KINDS.map((kind) => backendsPath(kind)),
];

/** What has become dirty since the last look. */
export class DirtySet {
  #domains = false;
  #plugged = false;
  #everything = true;
  #domids = new Set<number>();
  #busids = new Set<Busid>();
  /** Of domains that may have been renamed. */
  #uuids = new Set<string>();
  /** `003/011`: nodes of devices that have come or gone. */
  #nodes = new Set<string>();

  /** Nothing has changed as far as is known. */
  get isEmpty(): boolean {
    const isNamed = this.#domids.size + this.#busids.size + this.#uuids.size + this.#nodes.size > 0;
    return !(this.#everything || this.#domains || this.#plugged || isNamed);
  }

  /** Nothing that was seen is valid any more. */
  markEverything(): void {
    this.#everything = true;
  }

  /** A device, or what is saved for it, may have changed. */
  markDevice(busid: Busid): void {
    this.#busids.add(busid);
  }

  /** An event of a watch on the store. */
  markPath(path: string): void {
    if (path === INTRODUCE_DOMAIN || path === RELEASE_DOMAIN) {
      this.#domains = true;
      return;
    }
    if (path === SAVED_DRIVERS || path === BACKEND_ANNOUNCEMENT || WATCHED.includes(path)) {
      this.markEverything();
      return;
    }
    const [, uuid, key] = within(path, NAMES) ?? [];
    if (uuid !== undefined && key === 'name') this.#uuids.add(uuid);
    const [, saved] = within(path, SAVED_DRIVERS) ?? [];
    const busid = saved === undefined ? undefined : decodeBusid(saved);
    if (busid !== undefined) this.#busids.add(busid);
    const domid = domidOf(path);
    if (domid !== undefined) this.#domids.add(domid);
  }

  /** A report of a device that came or went. */
  markPlug(name: string): void {
    this.#plugged = true;
    const intf = parseInterfaceId(name);
    const busid = intf === undefined ? parseDeviceName(name) : busidOf(intf);
    if (busid !== undefined) this.#busids.add(busid);
    else if (/^\d{3}\/\d{3}$/.test(name)) this.#nodes.add(name);
    else this.markEverything();
  }

  /** Takes everything that is dirty; `everything` when the whole host is to be looked at. */
  take(before: Inventory | undefined): Dirty | 'everything' {
    const taken: Dirty = {
      domains: this.#domains,
      domids: new Set([...this.#domids, ...domidsOf(this.#uuids, before)]),
      busids: new Set([...this.#busids, ...busidsOf(this.#nodes, before)]),
      plugged: this.#plugged,
    };
    const isAll = this.#everything;
    this.#everything = this.#domains = this.#plugged = false;
    this.#domids = new Set();
    this.#busids = new Set();
    this.#uuids = new Set();
    this.#nodes = new Set();
    return isAll ? 'everything' : taken;
  }
}

/** The domains with these uuids. Others are not known yet: those are looked at when they are introduced. */
function domidsOf(uuids: ReadonlySet<string>, before: Inventory | undefined): number[] {
  return (before?.domains ?? []).flatMap(({ domid, uuid }) =>
    uuid !== undefined && uuids.has(uuid) ? domid : [],
  );
}

/** The devices that had these nodes. A new device has a node that no device had. */
function busidsOf(nodes: ReadonlySet<string>, before: Inventory | undefined): Busid[] {
  const nodeOf = (bus: number, address: number): string =>
    `${String(bus).padStart(3, '0')}/${String(address).padStart(3, '0')}`;
  return (before?.devices ?? []).flatMap(({ busid, bus, address }) =>
    nodes.has(nodeOf(bus, address)) ? busid : [],
  );
}

/** The names below a path; undefined for what is not below it. */
function within(path: string, folder: string): string[] | undefined {
  return path.startsWith(`${folder}/`) ? path.slice(folder.length).split('/') : undefined;
}

/** The domain that an event is about; undefined for what does not concern us. */
function domidOf(path: string): number | undefined {
  const folders = [LIBXL, DEVICE_MODELS, ...BACKEND_KINDS.map((kind) => backendsPath(kind))];
  const names = folders.map((folder) => within(path, folder)).find((found) => found !== undefined);
  const domid = parseNumber(names?.[1]);
  if (domid === undefined || !path.startsWith(`${LIBXL}/`)) return domid;
  // Of a domain's record only these matter; the rest changes often while a domain is being created.
  const [record, controllers] = [`${LIBXL}/${domid}`, controllersPath(domid)];
  const isAbove = controllers === path || controllers.startsWith(`${path}/`);
  return isAbove || path === `${record}/type` || path.startsWith(`${controllers}/`) ? domid : undefined;
}
