/**
 * The one reconciler: what is wanted, compared with what is. What wants something is one of several sources: the
 * assignments, or what a guest had before it rebooted.
 */
import { hasIdentity, hasSerial } from '../../sysfs/identity.js';
import { PvusbError } from '../model/errors.js';
import { toPvusbError } from '../model/failure.js';
import {
  allPorts,
  controllersOf,
  type DomainName,
  deviceAt,
  domainAt,
  findDomain,
  type Place,
  placesOf,
  savedFor,
} from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import type { Plan } from '../model/plan.js';
import { isBuilt } from '../observe/built.js';
import type { Host } from '../observe/host.js';
import { observe } from '../observe/observe.js';
import { type Adjustment, detaching, isLent, nextAdjustment, type PlannedAdjustment } from '../plan/apply.js';
import { type Assignment, type AssignmentOptions, assignmentsOf } from '../plan/assigned.js';
import { resolveType } from '../plan/resolve.js';
import type { FoundDevice } from '../plan/wanted.js';
import { type OperationOptions, operate, qemuFor } from './operate.js';

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

/** Options of {@link reconcile}. */
export interface ReconcileOptions extends OperationOptions, AssignmentOptions {
  /** Only what this domain is to have. */
  readonly domain?: DomainName | undefined;
  /** What is to get something is built: libxl has done its part. Looked at unless given. */
  readonly isBuilt?: boolean | undefined;
  /** Called with each change once it is made. */
  readonly onChange?: ((adjustment: Adjustment) => void) | undefined;
}

/** What was changed, or would be, and what has become of the assignments. */
export interface Reconciled {
  /** As they are at the end. */
  readonly assignments: readonly Assignment[];
  readonly changes: readonly Adjustment[];
  /** A plan for each change; in a dry run each for the host as the ones before will leave it. */
  readonly plans: readonly Plan[];
  readonly unmet: readonly Unmet[];
}

/**
 * One pass: gives guests what the assignments say and they lack. Each device is an operation of its own: what fails is
 * reported, and does not stop the others. Nothing that a guest has is taken from it, unless it `moves`
 * to another one.
 *
 * @throws {PvusbError} `rules-invalid`; of the host's group; `aborted`
 */
export async function reconcile(host: Host, options: ReconcileOptions = {}): Promise<Reconciled> {
  const { signal, domain, followed, moves } = options;
  const look = (): Promise<Inventory> => observe(host, { signal, rules: true, asks: 'all' });
  const states = (inventory: Inventory): Assignment[] => assignmentsOf(inventory, { followed, moves });
  const seen = await look();
  const only = domain === undefined ? undefined : findDomain(seen, domain).domid;
  const wants = states(seen).flatMap(({ domid, want }): Want[] =>
    want && domid !== undefined && domid === (only ?? domid) ? [{ domid, device: want, moves }] : [],
  );
  const met = options.dryRun ? forecast(seen, wants) : await meet(host, wants, options);
  const assignments = states(met.changes.length > 0 && !options.dryRun ? await look() : seen);
  return { ...met, assignments };
}

type Met = Omit<Reconciled, 'assignments'>;

/** Plans every want for the host as the plans before will leave it. */
function forecast(seen: Inventory, wants: readonly Want[]): Met {
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

async function meet(host: Host, wants: readonly Want[], options: ReconcileOptions): Promise<Met> {
  const { signal } = options;
  const [changes, plans, unmet]: [Adjustment[], Plan[], Unmet[]] = [[], [], []];
  for (const want of wants) {
    try {
      const met = await meetWant(host, want, options);
      plans.push(...met.plans);
      changes.push(...met.changes);
    } catch (error) {
      const failure = toPvusbError(error, { doing: 'reconciling', signal });
      if (failure.code === 'aborted' || failure.code === 'connection-lost') throw failure;
      unmet.push({ ...want, error: failure });
    }
  }
  return { changes, plans, unmet };
}

/**
 * Makes the changes that a want needs; in a dry run, plans the first.
 *
 * @throws {PvusbError} as attaching, detaching and adding a controller; `conflict`: the domain is being created
 */
export async function meetWant(
  host: Host,
  want: Want,
  options: ReconcileOptions,
): Promise<Pick<Reconciled, 'changes' | 'plans'>> {
  const [changes, plans]: [Adjustment[], Plan[]] = [[], []];
  if (!options.isBuilt) await requireBuilt(host, want, options.signal);
  for (;;) {
    const { plan, result } = await meetOnce(host, want, options);
    if (!result) return { changes, plans };
    plans.push(plan);
    changes.push(result.adjustment);
    if (options.dryRun) return { changes, plans };
    options.onChange?.(result.adjustment);
  }
}

/** libxl destroys a guest whose devices it finds taken while it still builds it. */
async function requireBuilt(host: Host, { domid }: Want, signal: AbortSignal | undefined): Promise<void> {
  const domain = domainAt(await observe(host, { signal, scope: 'controllers', only: domid }), domid);
  if (!domain || (await isBuilt(host, domain, { signal }))) return;
  throw new PvusbError('conflict', `Domain ${domid} is being created by its toolstack.`, {
    where: { domid },
  });
}

/** Makes the next change that a want needs, if any. */
function meetOnce(host: Host, want: Want, options: OperationOptions) {
  return operate<PlannedAdjustment | undefined>(
    host,
    options,
    (inventory) => {
      const next = nextOf(inventory, want);
      const { busid } = want.device;
      const nothing: Plan = { title: `give ${busid} to domain ${want.domid}`, steps: [], onFailure: 'stop' };
      return { plan: next?.plan ?? nothing, result: next };
    },
    {
      rules: true,
      asks(seen) {
        const domain = findDomain(seen, want.domid);
        const there = controllersOf(seen, want.domid).map(({ type }) => type);
        const holders = placesOf(seen, want.device.busid).map(({ controller }) => controller);
        return [
          ...qemuFor(domain, [...there, resolveType(seen, domain, 'auto')]),
          ...holders.flatMap(({ domid, type }) => {
            const holder = domid === want.domid ? undefined : domainAt(seen, domid);
            return holder ? qemuFor(holder, [type]) : [];
          }),
        ];
      },
    },
  );
}

/** The next change that a want needs: a port emptied, its controller added, or the device given. */
function nextOf(inventory: Inventory, want: Want): PlannedAdjustment | undefined {
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
