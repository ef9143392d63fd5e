/**
 * The one reconciler: what is wanted, compared with what is. What wants something is one of several sources: the
 * assignments, or what a guest had before it rebooted.
 */
import { toPvusbError } from '../model/failure.js';
import { controllersOf, type DomainName, domainAt, findDomain, placesOf } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import type { Plan } from '../model/plan.js';
import { requireBuilt } from '../observe/built.js';
import type { Host } from '../observe/host.js';
import { observe } from '../observe/observe.js';
import type { Adjustment, PlannedAdjustment } from '../plan/apply.js';
import { type Assignment, type AssignmentOptions, assignmentsOf } from '../plan/assigned.js';
import { type Forecast, forecast, nextOf, nothingToGive, type Unmet, type Want } from '../plan/reconcile.js';
import { resolveType } from '../plan/resolve.js';
import { type OperationOptions, operate, qemuFor } from './operate.js';

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
  const look = (): Promise<Inventory> => observe(host, { signal, rules: true, asks: 'all', uses: 'all' });
  const states = (inventory: Inventory): Assignment[] => assignmentsOf(inventory, { followed, moves });
  const seen = await look();
  options.onLook?.(seen);
  const only = domain === undefined ? undefined : findDomain(seen, domain).domid;
  const wants = states(seen).flatMap(({ domid, want }): Want[] =>
    want && domid !== undefined && domid === (only ?? domid) ? [{ domid, device: want, moves }] : [],
  );
  const met = options.dryRun ? forecast(seen, wants) : await meet(host, wants, options);
  const assignments = states(met.changes.length > 0 && !options.dryRun ? await look() : seen);
  return { ...met, assignments };
}

async function meet(host: Host, wants: readonly Want[], options: ReconcileOptions): Promise<Forecast> {
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
  if (!options.isBuilt) await requireGuest(host, want, options.signal);
  for (let isMoving = false; ; ) {
    const { plan, result } = await meetOnce(host, want, { ...options, isMoving });
    if (!result) return { changes, plans };
    const { change, domid } = result.adjustment;
    isMoving ||= change === 'detached' && domid !== want.domid;
    plans.push(plan);
    changes.push(result.adjustment);
    if (options.dryRun) return { changes, plans };
    options.onChange?.(result.adjustment);
  }
}

/** libxl destroys a guest whose devices it finds taken while it still builds it. */
export async function requireGuest(
  host: Host,
  { domid }: Pick<Want, 'domid'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const domain = domainAt(await observe(host, { signal, scope: 'controllers', only: domid }), domid);
  if (domain) await requireBuilt(host, domain, { signal });
}

/**
 * Makes the next change that a want needs, if any. A device that moves from guest to guest is the host's for a moment,
 * which it does not need it for.
 */
function meetOnce(
  host: Host,
  want: Want,
  { isMoving, ...options }: OperationOptions & { readonly isMoving: boolean },
) {
  return operate<PlannedAdjustment | undefined>(
    host,
    options,
    (inventory) => {
      const next = nextOf(inventory, want);
      return { plan: next?.plan ?? nothingToGive(inventory, want), result: next };
    },
    {
      rules: true,
      lends: () => (isMoving ? [] : [want.device.busid]),
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
