/** What has changed between two looks at a host, as typed events. */
import type { Busid } from '../../sysfs/busid.js';
import type { UsbDevice } from '../../sysfs/device.js';
import type { Controller, Domain, Inventory, OrphanBackend, OwnBackend, SavedDrivers } from './inventory.js';
import type { ControllerId } from './layout.js';

/** One change. `before` and `now` are whole, so that applying the changes to an inventory gives the next one. */
export type InventoryChange =
  | { readonly change: 'device-plugged'; readonly device: UsbDevice }
  | { readonly change: 'device-unplugged'; readonly device: UsbDevice }
  /** Another driver, or another device in the same socket. */
  | { readonly change: 'device-changed'; readonly before: UsbDevice; readonly now: UsbDevice }
  | { readonly change: 'domain-appeared'; readonly domain: Domain }
  | { readonly change: 'domain-gone'; readonly domain: Domain }
  | { readonly change: 'domain-changed'; readonly before: Domain; readonly now: Domain }
  | { readonly change: 'controller-added'; readonly controller: Controller }
  | { readonly change: 'controller-removed'; readonly controller: Controller }
  /** Its states, its ports, what its guest says. */
  | { readonly change: 'controller-changed'; readonly before: Controller; readonly now: Controller }
  /** A port got a device; reported in addition to the change of its controller. */
  | ({ readonly change: 'attached' } & PortChange)
  /** A port lost a device; reported in addition to the change of its controller. */
  | ({ readonly change: 'detached' } & PortChange)
  /** What is saved about a device's drivers; nothing any more if `now` is absent. */
  | { readonly change: 'drivers-saved'; readonly busid: Busid; readonly now?: SavedDrivers }
  | { readonly change: 'orphans'; readonly now: readonly OrphanBackend[] }
  | { readonly change: 'usbback'; readonly now: boolean }
  /** What our own backend shows of ports; it does not serve any more if `now` is absent. */
  | { readonly change: 'backend'; readonly now?: OwnBackend };

/** A device and the port that it entered or left. */
export interface PortChange extends ControllerId {
  readonly port: number;
  readonly busid: Busid;
}

/** Everything that differs, starting with what is gone. What QEMUs and saved configurations say is not compared. */
export function differences(before: Inventory, now: Inventory): InventoryChange[] {
  const ports = comparePorts(before, now);
  const devices = compare(before.devices, now.devices, ({ busid }) => busid);
  const domains = compare(before.domains, now.domains, ({ domid }) => domid);
  const controllers = compare(before.controllers, now.controllers, keyOf);
  const saved = compare(before.savedDrivers, now.savedDrivers, ({ busid }) => busid);
  return [
    ...ports.gone.map((at): InventoryChange => ({ change: 'detached', ...at })),
    ...controllers.gone.map((controller): InventoryChange => ({ change: 'controller-removed', controller })),
    ...domains.gone.map((domain): InventoryChange => ({ change: 'domain-gone', domain })),
    ...devices.gone.map((device): InventoryChange => ({ change: 'device-unplugged', device })),
    ...(before.usbback === now.usbback ? [] : [{ change: 'usbback', now: now.usbback } as const]),
    ...devices.added.map((device): InventoryChange => ({ change: 'device-plugged', device })),
    ...devices.changed.map((pair): InventoryChange => ({ change: 'device-changed', ...pair })),
    ...domains.added.map((domain): InventoryChange => ({ change: 'domain-appeared', domain })),
    ...domains.changed.map((pair): InventoryChange => ({ change: 'domain-changed', ...pair })),
    ...controllers.added.map((controller): InventoryChange => ({ change: 'controller-added', controller })),
    ...controllers.changed.map((pair): InventoryChange => ({ change: 'controller-changed', ...pair })),
    ...ports.added.map((at): InventoryChange => ({ change: 'attached', ...at })),
    ...saved.gone.map(({ busid }): InventoryChange => ({ change: 'drivers-saved', busid })),
    ...[...saved.added, ...saved.changed.map((pair) => pair.now)].map(
      (entry): InventoryChange => ({ change: 'drivers-saved', busid: entry.busid, now: entry }),
    ),
    ...(isSame(before.orphanBackends, now.orphanBackends)
      ? []
      : [{ change: 'orphans', now: now.orphanBackends } as const]),
    ...(isSame(before.backend, now.backend)
      ? []
      : [{ change: 'backend', ...(now.backend ? { now: now.backend } : {}) } as const]),
  ];
}

interface Compared<T> {
  readonly gone: readonly T[];
  readonly added: readonly T[];
  readonly changed: readonly { readonly before: T; readonly now: T }[];
}

function compare<T>(before: readonly T[], now: readonly T[], key: (one: T) => string | number): Compared<T> {
  const had = new Map(before.map((one) => [key(one), one]));
  const has = new Map(now.map((one) => [key(one), one]));
  return {
    gone: before.filter((one) => !has.has(key(one))),
    added: now.filter((one) => !had.has(key(one))),
    changed: now.flatMap((one) => {
      const old = had.get(key(one));
      return old === undefined || isSame(old, one) ? [] : { before: old, now: one };
    }),
  };
}

function comparePorts(before: Inventory, now: Inventory): Compared<PortChange> {
  // A look that found a controller unchanged has kept the object: most are the same.
  const kept = new Set(before.controllers.filter((controller) => now.controllers.includes(controller)));
  const lent = ({ controllers }: Inventory): PortChange[] =>
    controllers
      .filter((controller) => !kept.has(controller))
      .flatMap(({ domid, devid, ports, strayPorts }) =>
        [...ports, ...strayPorts].flatMap(({ port, busid }) =>
          busid === undefined ? [] : { domid, devid, port, busid },
        ),
      );
  return compare(lent(before), lent(now), (at) => `${keyOf(at)}/${at.port} ${at.busid}`);
}

function keyOf({ domid, devid }: ControllerId): string {
  return `${domid}/${devid}`;
}

/** Compares plain data whose fields were written in the same order. */
function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
