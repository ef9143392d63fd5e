/** Looks again only at what has changed on a host: the cost does not grow with the size of the host. */
import type { Busid } from '../../sysfs/busid.js';
import type { ScanOptions } from '../../sysfs/scan.js';
import { toPvusbError } from '../model/failure.js';
import { allPorts } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { observeBackendsOf } from './backends.js';
import { observeControllers } from './controllers.js';
import { type DomainNumbers, describeDomains, observeNumbers, observeNumbersOf } from './domains.js';
import type { CallOptions, Host } from './host.js';
import { observeOwnBackend, observePvServer } from './own-backend.js';
import { observeSavedOf } from './saved-drivers.js';

/** What may have changed since a look. */
export interface Dirty {
  /** Domains may have come or gone. */
  readonly domains: boolean;
  /** These domains, or their controllers, may have changed. */
  readonly domids: ReadonlySet<number>;
  /** These devices, or what is saved for them, may have changed. */
  readonly busids: ReadonlySet<Busid>;
  /** Devices may have been plugged in; known devices that are not in `busids` are unchanged. */
  readonly plugged: boolean;
}

/**
 * The host as it is now, if only what is dirty has changed. What QEMUs and saved configurations say is left out.
 *
 * @throws {PvusbError} of the host's group, `connection-lost` or `aborted`
 */
export async function observeAgain(
  host: Host,
  before: Inventory,
  dirty: Dirty,
  options: CallOptions & Pick<ScanOptions, 'details'> = {},
): Promise<Inventory> {
  const call = { signal: options.signal };
  try {
    const domids = await dirtyDomids(host, before, dirty, call);
    const isDirty = ({ domid }: { readonly domid: number }): boolean => domids.has(domid);
    const numbers = await observeNumbersOf(host.xenstore, [...domids], call);
    const { domains, devids } = await describeDomains(host.xenstore, numbers, call);
    const [controllers, backends] = await Promise.all([
      observeControllers(host.xenstore, devids, { ...call, rings: true }),
      observeBackendsOf(host.xenstore, [...domids], call),
    ]);
    const busids = new Set([
      ...dirty.busids,
      ...[...before.controllers.filter(isDirty), ...controllers].flatMap((controller) =>
        allPorts(controller).flatMap(({ busid }) => busid ?? []),
      ),
    ]);
    const known = new Set(before.devices.map(({ busid }) => busid));
    const wanted = (busid: Busid): boolean => busids.has(busid) || (dirty.plugged && !known.has(busid));
    const [devices, savedDrivers, server] = await Promise.all([
      busids.size > 0 || dirty.plugged
        ? host.sysfs.devices({ ...call, wanted, details: options.details })
        : [],
      observeSavedOf(host.xenstore, [...busids], call),
      observePvServer(host, call),
    ]);
    const recorded = new Set(devids.map(({ domid, devid }) => `${domid}/${devid}`));
    const orphans = backends.filter(({ domid, devid }) => !recorded.has(`${domid}/${devid}`));
    const all = [...before.controllers.filter((one) => !isDirty(one)), ...controllers].sort(
      (a, b) => a.domid - b.domid || a.devid - b.devid,
    );
    const { backend: served, ...rest } = before;
    const backend = await observeOwnBackend(host, server, all, call, { before: served, isDirty });
    const isAsBefore = ({ busid }: { readonly busid: Busid }): boolean => !busids.has(busid);
    return {
      ...rest,
      usbback: server.usbback,
      ...(backend === undefined ? {} : { backend }),
      devices: [...before.devices.filter(isAsBefore), ...devices].sort(
        (a, b) => a.bus - b.bus || a.address - b.address,
      ),
      domains: [...before.domains.filter((one) => !isDirty(one)), ...domains].sort(
        (a, b) => a.domid - b.domid,
      ),
      controllers: all,
      savedDrivers: [...before.savedDrivers.filter(isAsBefore), ...savedDrivers],
      orphanBackends: [...before.orphanBackends.filter((one) => !isDirty(one)), ...orphans],
    };
  } catch (error) {
    throw toPvusbError(error, { doing: 'observing the host', signal: options.signal });
  }
}

/** The domains that are known to have changed, and those that have come or gone. */
async function dirtyDomids(
  host: Host,
  { domains }: Inventory,
  dirty: Dirty,
  call: CallOptions,
): Promise<ReadonlySet<number>> {
  if (!dirty.domains) return dirty.domids;
  const { alive, recorded }: DomainNumbers = await observeNumbers(host.xenstore, call);
  const known = new Map(domains.map((domain) => [domain.domid, domain.alive]));
  const moved = [...alive, ...recorded, ...known.keys()].filter((domid) => {
    const isThere = alive.has(domid) || recorded.has(domid);
    return known.has(domid) ? !isThere || known.get(domid) !== alive.has(domid) : isThere;
  });
  return new Set([...dirty.domids, ...moved]);
}
