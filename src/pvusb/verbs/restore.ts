/** Giving a quiesced guest back what it had. */
import type { QuiescedController, QuiescedDevice, QuiescedGuest } from '../../quiesced/index.js';
import type { Busid } from '../../sysfs/busid.js';
import { PvusbError } from '../model/errors.js';
import { toPvusbError } from '../model/failure.js';
import { controllersOf, findDomain, placesOf } from '../model/find.js';
import type { Domain, Inventory } from '../model/inventory.js';
import type { Plan } from '../model/plan.js';
import { quiescedDomains } from '../model/quiesced.js';
import type { Host } from '../observe/host.js';
import { observe } from '../observe/observe.js';
import type { Adjustment, PlannedAdjustment } from '../plan/apply.js';
import { findQuiesced, nextController, nextDevice, planNothing } from '../plan/quiesce.js';
import { resolveType } from '../plan/resolve.js';
import { type OperationOptions, operate, qemuFor } from './operate.js';
import { keep, requireFiles } from './quiesce.js';
import { requireGuest } from './reconcile.js';

/** Options of {@link restoreDomain}. */
export interface RestoreOptions extends OperationOptions {
  /** Called with each change once it is made. */
  readonly onChange?: ((adjustment: Adjustment) => void) | undefined;
}

/** What a guest did not get back, and why. */
export interface Unrestored {
  readonly devid: number;
  /** The device; absent: it is the controller. */
  readonly busid?: Busid | undefined;
  readonly error: PvusbError;
}

/** What {@link restoreDomain} gave back. */
export interface Restored {
  readonly domid: number;
  readonly token: string;
  readonly changes: readonly Adjustment[];
  readonly plans: readonly Plan[];
  /** The token remains valid for these. */
  readonly unrestored: readonly Unrestored[];
}

/**
 * Gives a guest back what it had when it was quiesced, named by its token or its name: its controllers, and each device in its port, or in another one
 * if that is taken. The guest may have another number by now. What does not work is reported, and does not stop the
 * rest: run again, it goes on with that. When the guest has everything the token is forgotten.
 *
 * @throws {PvusbError} `no-such-token`; `no-such-domain`: the guest does not run; `ambiguous-domain`; `conflict`: it is
 *   being created; `state-failed`; of the host's group; `aborted`
 */
export async function restoreDomain(
  host: Host,
  name: string,
  options: RestoreOptions = {},
): Promise<Restored> {
  const { signal, dryRun } = options;
  const guest = await findGuest(host, name);
  const { token } = guest;
  const seen = await observe(host, { signal, details: true, rules: true, asks: 'all', uses: 'all' });
  options.onLook?.(seen);
  const domain = findAgain(seen, guest);
  const { domid } = domain;
  const units = unitsOf(seen, domain, guest);
  if (dryRun) return { domid, token, ...forecast(seen, units) };
  await requireGuest(host, { domid }, signal);
  // Until it is done the guest is held back: rules would put its devices elsewhere.
  const [changes, plans, unrestored]: [Adjustment[], Plan[], Unrestored[]] = [[], [], []];
  for (const { devid, busid, next, lends } of units) {
    try {
      for (;;) {
        const { plan, result } = await change(host, domid, { next, lends }, options);
        if (!result) break;
        plans.push(plan);
        changes.push(result.adjustment);
        options.onChange?.(result.adjustment);
      }
    } catch (error) {
      const failure = toPvusbError(error, { doing: `restoring domain ${domid}`, signal });
      if (failure.code === 'aborted' || failure.code === 'connection-lost') throw failure;
      unrestored.push({ devid, busid, error: failure });
    }
  }
  await settle(host, { ...guest, domid }, unrestored);
  const taken = await takenAgain(host, { ...guest, domid }, { unrestored, signal });
  return { domid, token, changes, plans, unrestored: [...unrestored, ...taken] };
}

/**
 * Discards the record of what a guest had: it can no longer be restored.
 *
 * @throws {PvusbError} `no-such-token`, `state-failed`
 */
export async function forgetQuiesced(
  host: Host,
  name: string,
  { dryRun }: Pick<OperationOptions, 'dryRun'> = {},
): Promise<QuiescedGuest> {
  const guest = await findGuest(host, name);
  if (!dryRun) await remove(host, guest.token);
  return guest;
}

/**
 * The guests that are quiesced, or that could not be restored completely.
 *
 * @throws {PvusbError} `state-failed`
 */
export async function listQuiesced(host: Host): Promise<readonly QuiescedGuest[]> {
  try {
    return await requireFiles(host).list();
  } catch (error) {
    throw toPvusbError(error, { doing: 'looking for quiesced guests' });
  }
}

/** By token; or by name, if one has that. */
async function findGuest(host: Host, token: string): Promise<QuiescedGuest> {
  const guests = await listQuiesced(host);
  const found = guests.find((guest) => guest.token === token);
  const named = guests.filter(({ name }) => name === token);
  if (found) return found;
  if (named.length === 1) return named[0]!;
  throw new PvusbError('no-such-token', `There is no quiesced guest ${JSON.stringify(token)}.`);
}

async function remove(host: Host, token: string): Promise<void> {
  try {
    await requireFiles(host).remove(token);
  } catch (error) {
    throw toPvusbError(error, { doing: 'forgetting a quiesced guest' });
  }
}

/** By uuid; by name, if no guest has that uuid and one has that name. */
function findAgain(seen: Inventory, guest: QuiescedGuest): Domain {
  const [domain, ...others] = quiescedDomains(seen, guest);
  const called = guest.name === undefined ? `domain ${guest.domid}` : JSON.stringify(guest.name);
  if (!domain) throw new PvusbError('no-such-domain', `The guest ${called} is not running.`);
  if (others.length === 0) return domain;
  const domids = [domain, ...others].map(({ domid }) => domid).join(', ');
  throw new PvusbError('ambiguous-domain', `Domains ${domids} may all be the guest ${called}.`, {
    remedy: 'Restore it when only one of them is left.',
  });
}

/** What is given back by itself, whatever becomes of the rest. */
interface Unit {
  readonly devid: number;
  readonly busid?: Busid;
  /** The devices that it lends. */
  readonly lends: readonly Busid[];
  readonly next: (inventory: Inventory) => PlannedAdjustment | undefined;
}

function unitsOf(seen: Inventory, { domid }: Domain, { controllers, devices }: QuiescedGuest): Unit[] {
  const again = (inventory: Inventory): Domain => findDomain(inventory, domid);
  return [
    ...controllers.map(
      (one: QuiescedController): Unit => ({
        devid: one.devid,
        lends: [],
        next: (inventory) => nextController(inventory, again(inventory), one),
      }),
    ),
    ...devices.map((one: QuiescedDevice): Unit => {
      const device = findQuiesced(seen, one);
      const { devid, busid } = one;
      if (!device) return { devid, busid, lends: [], next: () => notPlugged(domid, one) };
      const next = (inventory: Inventory) => nextDevice(inventory, again(inventory), device, one);
      return { devid, busid, lends: [device.busid], next };
    }),
  ];
}

function notPlugged(domid: number, { busid, devid, port }: QuiescedDevice): never {
  throw new PvusbError('no-such-device', `${busid} is not plugged in any more.`, {
    where: { domid, devid, port, busid },
    remedy: 'Plug it in and restore the guest again.',
  });
}

/** Every change as it will be after those before it. */
function forecast(
  seen: Inventory,
  units: readonly Unit[],
): Pick<Restored, 'changes' | 'plans' | 'unrestored'> {
  const [planned, unrestored]: [PlannedAdjustment[], Unrestored[]] = [[], []];
  let now = seen;
  for (const { devid, busid, next: nextOf } of units) {
    try {
      for (let next = nextOf(now); next; next = nextOf(now)) {
        planned.push(next);
        now = next.after;
      }
    } catch (error) {
      unrestored.push({ devid, busid, error: toPvusbError(error, { doing: 'planning' }) });
    }
  }
  return {
    changes: planned.map(({ adjustment }) => adjustment),
    plans: planned.map(({ plan }) => plan),
    unrestored,
  };
}

/** Makes the next change of a unit, if it needs one. */
function change(
  host: Host,
  domid: number,
  { next, lends }: Pick<Unit, 'next' | 'lends'>,
  options: OperationOptions,
) {
  return operate<PlannedAdjustment | undefined>(
    host,
    options,
    (inventory) => {
      const result = next(inventory);
      return { plan: result?.plan ?? planNothing(domid), result };
    },
    {
      rules: true,
      lends: () => lends,
      asks(seen) {
        const domain = findDomain(seen, domid);
        const there = controllersOf(seen, domid).map(({ type }) => type);
        const holders = lends.flatMap((busid) => placesOf(seen, busid).map(({ controller }) => controller));
        return [
          ...qemuFor(domain, [...there, resolveType(seen, domain, 'auto')]),
          ...holders.flatMap((holder) =>
            holder.domid === domid ? [] : qemuFor(findDomain(seen, holder.domid), [holder.type]),
          ),
        ];
      },
    },
  );
}

/**
 * What another program has taken from the guest again meanwhile: it is kept, whichever of the two has written last. Who
 * quiesces keeps first and takes then, so that this look either sees that it was taken, or comes before it is kept again.
 */
async function takenAgain(
  host: Host,
  guest: QuiescedGuest,
  {
    unrestored,
    signal,
  }: { readonly unrestored: readonly Unrestored[]; readonly signal?: AbortSignal | undefined },
): Promise<readonly Unrestored[]> {
  const left = new Set(unrestored.map(({ busid }) => busid));
  const seen = await observe(host, { signal, details: true });
  const taken = guest.devices.filter((one) => {
    const device = left.has(one.busid) ? undefined : findQuiesced(seen, one);
    return device !== undefined && placesOf(seen, device.busid).length === 0;
  });
  if (taken.length === 0) return [];
  const now = (await listQuiesced(host)).find(({ token }) => token === guest.token);
  if (!now || now.isIncomplete)
    await keep(host, {
      ...guest,
      devices: guest.devices.filter((one) => left.has(one.busid) || taken.includes(one)),
    });
  return taken.map(({ devid, busid, port }) => {
    const where = { domid: guest.domid, devid, port, busid };
    const sentence = `${busid} was taken from domain ${guest.domid} again while the guest was being restored.`;
    return { devid, busid, error: new PvusbError('conflict', sentence, { where }) };
  });
}

/** The token stays for what could not be given back. A controller is only of use for a device. */
async function settle(host: Host, guest: QuiescedGuest, unrestored: readonly Unrestored[]): Promise<void> {
  const left = new Set(unrestored.map(({ busid }) => busid));
  const devices = guest.devices.filter(({ busid }) => left.has(busid));
  if (unrestored.length === 0) return remove(host, guest.token);
  const needed = new Set([...devices.map(({ devid }) => devid), ...unrestored.map(({ devid }) => devid)]);
  const controllers = guest.controllers.filter(({ devid }) => needed.has(devid));
  await keep(host, { ...guest, isIncomplete: true, controllers, devices });
}
