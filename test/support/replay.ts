/** Follows a host by what is reported about it. */
import type { Inventory, InventoryChange } from '../../src/pvusb/index.js';

/** The inventory after a change, made only from the one before and the change. */
export function replay(before: Inventory, change: InventoryChange): Inventory {
  switch (change.change) {
    case 'device-plugged':
      return withDevice(before, change.device);
    case 'device-changed':
      return withDevice(before, change.now);
    case 'device-unplugged':
      return { ...before, devices: without(before.devices, 'busid', change.device) };
    case 'domain-appeared':
      return withDomain(before, change.domain);
    case 'domain-changed':
      return withDomain(before, change.now);
    case 'domain-gone':
      return { ...before, domains: without(before.domains, 'domid', change.domain) };
    case 'controller-added':
      return withController(before, change.controller);
    case 'controller-changed':
      return withController(before, change.now);
    case 'controller-removed':
      return { ...before, controllers: withoutController(before, change.controller) };
    case 'drivers-saved': {
      const others = without(before.savedDrivers, 'busid', change);
      const savedDrivers = [...others, ...(change.now ? [change.now] : [])];
      return { ...before, savedDrivers: savedDrivers.sort((a, b) => (a.busid < b.busid ? -1 : 1)) };
    }
    case 'orphans':
      return { ...before, orphanBackends: change.now };
    case 'usbback':
      return { ...before, usbback: change.now };
    case 'backend': {
      const { backend: _, ...rest } = before;
      return { ...rest, ...(change.now ? { backend: change.now } : {}) };
    }
    case 'attached':
    case 'detached':
      return before;
  }
}

type Controller = Inventory['controllers'][number];

function without<T, K extends keyof T>(all: readonly T[], key: K, one: Pick<T, K>): T[] {
  return all.filter((other) => other[key] !== one[key]);
}

function withoutController({ controllers }: Inventory, { domid, devid }: Controller): Controller[] {
  return controllers.filter((other) => other.domid !== domid || other.devid !== devid);
}

function withDevice(before: Inventory, device: Inventory['devices'][number]): Inventory {
  const devices = [...without(before.devices, 'busid', device), device];
  return { ...before, devices: devices.sort((a, b) => a.bus - b.bus || a.address - b.address) };
}

function withDomain(before: Inventory, domain: Inventory['domains'][number]): Inventory {
  const domains = [...without(before.domains, 'domid', domain), domain];
  return { ...before, domains: domains.sort((a, b) => a.domid - b.domid) };
}

function withController(before: Inventory, controller: Controller): Inventory {
  const controllers = [...withoutController(before, controller), controller];
  return { ...before, controllers: controllers.sort((a, b) => a.domid - b.domid || a.devid - b.devid) };
}
