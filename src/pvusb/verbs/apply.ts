/** Makes a domain's USB match a configuration. */
import type { Busid } from '../../sysfs/busid.js';
import { PvusbError } from '../model/errors.js';
import { controllersOf, type DomainName, findDomain, placesOf } from '../model/find.js';
import type { Domain, Inventory } from '../model/inventory.js';
import type { Plan } from '../model/plan.js';
import { labelDomain } from '../model/wording.js';
import type { Host } from '../observe/host.js';
import { type Adjustment, nextAdjustment, type PlannedAdjustment, planApply } from '../plan/apply.js';
import { resolveType } from '../plan/resolve.js';
import { type ApplyRules, findWanted, requireMeant, type WantedUsb } from '../plan/wanted.js';
import { type OperationOptions, operate, qemuFor } from './operate.js';

/** Options of {@link applyUsb}. */
export interface ApplyOptions extends OperationOptions {
  /** Called with each change once it is made. */
  readonly onChange?: ((adjustment: Adjustment) => void) | undefined;
}

/** What was changed, or would be. */
export interface Applied {
  readonly domid: number;
  readonly changes: readonly Adjustment[];
  /** A plan for each change, for the host as it was when they were planned together. */
  readonly plans: readonly Plan[];
}

/** Changes beyond those planned at first, which other programs may make necessary. */
const MORE_CHANGES = 20;

/**
 * Makes a running domain match a configuration: devices and controllers that it does not name are removed, those that
 * it names are added. Everything is planned before anything is done, so that an impossible request changes nothing.
 * Then each change is an operation of its own: if one fails, those before it stay, and running it again continues.
 *
 * @throws {PvusbError} `other-domain`, `no-usb-settings`: it is not meant for this domain; like attaching, detaching,
 *   adding and removing (`host-needs-it`: what it names is in use here); `conflict` when another program undoes it
 */
export async function applyUsb(
  host: Host,
  request: ApplyRules & { readonly domain: DomainName; readonly usb: WantedUsb },
  options: ApplyOptions = {},
): Promise<Applied> {
  const { usb } = request;
  const needsOf = (name: DomainName, lends: (seen: Inventory) => readonly Busid[]) => ({
    lends,
    rules: true,
    asks(seen: Inventory) {
      const domain = findDomain(seen, name);
      const there = controllersOf(seen, domain.domid).map(({ type }) => type);
      const wanted = (usb.controllers ?? []).map(({ type = 'auto' }) => resolveType(seen, domain, type));
      return qemuFor(domain, [...there, ...wanted, resolveType(seen, domain, 'auto')]);
    },
  });
  const { result: planned } = await operate(
    host,
    { signal: options.signal, onLook: options.onLook, dryRun: true },
    (inventory) => {
      const domain = findDomain(inventory, request.domain);
      requireMeant(domain, usb, request);
      const found = findWanted(inventory, usb);
      const changes = planApply(inventory, domain, found, request);
      const lent = new Set(
        found.devices.flatMap(({ busid }) => (placesOf(inventory, busid).length > 0 ? busid : [])),
      );
      return { plan: nothing(domain), result: { domain, found, lent, changes } };
    },
    needsOf(request.domain, (seen) => busidsWanted(seen, usb)),
  );
  // From here on by number: the domain that was looked at, not another one of that name. The same goes for the devices.
  const { domain, found, lent } = planned;
  const { domid } = domain;
  // A device that only moves to another port is the host's for a moment, which it does not need it for.
  const fresh = found.devices.flatMap(({ busid }) => (lent.has(busid) ? [] : busid));
  const plans = planned.changes.map(({ plan }) => plan);
  if (options.dryRun) {
    return { domid, plans, changes: planned.changes.map(({ adjustment }) => adjustment) };
  }
  const changes: Adjustment[] = [];
  for (let left = planned.changes.length + MORE_CHANGES; left > 0; left--) {
    const { result } = await operate<PlannedAdjustment | undefined>(
      host,
      options,
      (inventory) => {
        const next = nextAdjustment(inventory, findDomain(inventory, domid), found, request);
        return { plan: next?.plan ?? nothing(domain), result: next };
      },
      needsOf(domid, () => fresh),
    );
    if (!result) return { domid, plans, changes };
    changes.push(result.adjustment);
    options.onChange?.(result.adjustment);
  }
  const sentence = `Another program keeps changing what ${labelDomain(domain)} has while the configuration is being applied.`;
  throw new PvusbError('conflict', sentence, { where: { domid } });
}

/** The devices that a configuration names; none if one cannot be found, which is refused when it is planned. */
function busidsWanted(seen: Inventory, usb: WantedUsb): readonly Busid[] {
  try {
    return findWanted(seen, usb).devices.map(({ busid }) => busid);
  } catch (error) {
    if (error instanceof PvusbError) return [];
    throw error;
  }
}

function nothing(domain: Domain): Plan {
  return { title: `make ${labelDomain(domain)} match its configuration`, steps: [], onFailure: 'stop' };
}
