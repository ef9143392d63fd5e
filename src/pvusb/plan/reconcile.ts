/** What guests are to get, whoever wants it, as changes: one at a time. Pure. */
import { hasIdentity, hasSerial } from '../../sysfs/identity.js';
import type { PvusbError } from '../model/errors.js';
import { toPvusbError } from '../model/failure.js';
import {
  allPorts,
  controllersOf,
  deviceAt,
  findDomain,
  type Place,
  placesOf,
  savedFor,
} from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import type { Plan } from '../model/plan.js';
import { type Named, nameDomain } from '../model/wording.js';
import { type Adjustment, detaching, isLent, nextAdjustment, type PlannedAdjustment } from './apply.js';
import type { FoundDevice } from './wanted.js';

/** A device that a domain is to have, whoever wants it. */
export interface Want {
  readonly domid: number;
  readonly device: FoundDevice;
  /** Whoever has the device loses it. */
  readonly moves?: boolean | undefined;
}

/** A want that was not met, and why. */
export interface Unmet extends Want {
  readonly error: PvusbError;
}

/** The changes that wants need. */
export interface Forecast {
  readonly changes: readonly Adjustment[];
  readonly plans: readonly Plan[];
  readonly unmet: readonly Unmet[];
}

/** Plans every want for the host as the plans before will leave it. */
export function forecast(seen: Inventory, wants: readonly Want[]): Forecast {
  const [planned, unmet]: [PlannedAdjustment[], Unmet[]] = [[], []];
  let now = seen;
  for (const want of wants) {
    try {
      for (let next = nextOf(now, want); next; next = nextOf(now, want)) {
        planned.push(next);
        now = next.after;
      }
    } catch (error) {
      unmet.push({ ...want, error: toPvusbError(error, { doing: 'planning' }) });
    }
  }
  return {
    changes: planned.map(({ adjustment }) => adjustment),
    plans: planned.map(({ plan }) => plan),
    unmet,
  };
}

/** The plan when a want needs no change. */
export function nothingToGive(named: Named, { domid, device }: Want): Plan {
  return { title: `give ${device.busid} to ${nameDomain(named, domid)}`, steps: [], onFailure: 'stop' };
}

/**
 * The next change that a want needs: a port emptied, its controller added, or the device given; undefined when it needs
 * none.
 *
 * @throws {PvusbError} what refuses an attach or a controller
 */
export function nextOf(inventory: Inventory, want: Want): PlannedAdjustment | undefined {
  const { domid, device } = want;
  const domain = findDomain(inventory, domid);
  const place = placeInTheWay(inventory, want);
  if (place) return detaching(inventory, place);
  const { devid } = device;
  const controllers = devid === undefined ? [] : [{ devid, said: device.said }];
  return nextAdjustment(inventory, domain, { controllers, devices: [device] }, { addsOnly: true });
}

/**
 * A port that names the device: another guest's, if it moves; the guest's own, if the device is not lent there any more,
 * or if it was pulled out there and is plugged in elsewhere now.
 */
function placeInTheWay(inventory: Inventory, { domid, device, moves }: Want): Place | undefined {
  const there = placesOf(inventory, device.busid).find(
    (place) => place.controller.domid !== domid || !isLent(inventory, place),
  );
  if (there) return there.controller.domid === domid || moves ? there : undefined;
  const plugged = deviceAt(inventory, device.busid);
  if (!plugged || !hasSerial(device.identity)) return undefined;
  return controllersOf(inventory, domid)
    .flatMap((controller) => allPorts(controller).map((port) => ({ controller, port })))
    .find(({ port: { busid } }) => {
      const identity =
        busid === undefined || deviceAt(inventory, busid) ? undefined : savedFor(inventory, busid)?.identity;
      return identity !== undefined && hasIdentity(plugged, identity);
    });
}
