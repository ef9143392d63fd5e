/** What changes the host or the rules. */
import type { RouteName } from '../../../api/index.js';
import {
  assign,
  assignLine,
  HalfDoneError,
  parseSettings,
  reconciledJson,
  toldDiagnosis,
  toldPlan,
  unassign,
} from '../../../commands/index.js';
import {
  type Adjustment,
  addController,
  applyUsb,
  attachDevice,
  type Busid,
  detachDevice,
  doctor,
  domainAt,
  type Inventory,
  type Plan,
  PvusbError,
  prepareDomain,
  reconcile,
  releaseDomain,
  removeController,
} from '../../../pvusb/index.js';
import { printable } from '../../../sysfs/index.js';
import {
  requireRole,
  requireTouch,
  type Touched,
  touchedByAdd,
  touchedByApply,
  touchedByAttach,
  touchedByDetach,
  touchedByRemove,
  touchedByRules,
} from '../access.js';
import { type Ask, change, type Handler } from '../ask.js';
import { QUIESCING } from './quiescing.js';
import type { ReadingName } from './reading.js';

/** The routes that change something. */
type ChangingName = Exclude<RouteName, ReadingName | 'metrics' | 'events'>;

/** Answers them. */
export const CHANGING: { readonly [Name in ChangingName]: Handler<Name> } = {
  ...QUIESCING,
  async attach(ask) {
    const { domain, device, devid, port, force, always } = ask.request;
    // Both go beyond one guest and one device: over what the host needs, and over what is to come.
    if (force !== undefined) requireRole(ask.actor, 'admin', 'force');
    if (always) requireRole(ask.actor, 'admin', 'always');
    const touches = (seen: Inventory): Touched => touchedByAttach(seen, ask.request);
    return change(ask, { what: 'attach', why: force, touches }, async (host, options) => {
      const { plan, result } = await attachDevice(host, { domain, device, devid, port, force }, options);
      if (!always) return { plans: [plan], result };
      // By what was attached, and where: not by the names that were said, which may mean something else by now.
      const named = { domain: result.domid, device: result.busid };
      const rule = await assign(host, { ...named, mode: 'auto' }, options);
      return { plans: [plan], result: { ...result, rule } };
    });
  },
  detach(ask) {
    const { dryRun: _, operation: __, ...request } = ask.request;
    const touches = (seen: Inventory): Touched => touchedByDetach(seen, request);
    return change(ask, { what: 'detach', touches }, async (host, options) =>
      done(await detachDevice(host, request, options)),
    );
  },
  controllerAdd(ask) {
    const { dryRun: _, operation: __, ...request } = ask.request;
    const touches = (seen: Inventory): Touched => touchedByAdd(seen, request);
    return change(ask, { what: 'controller add', touches }, async (host, options) =>
      done(await addController(host, request, options)),
    );
  },
  controllerRemove: (ask) => removed(ask, 'controller remove', false),
  controllerDestroy: (ask) => removed(ask, 'controller destroy', true),
  release(ask) {
    const { domain } = ask.request;
    const touches = (seen: Inventory): Touched => touchedByRemove(seen, { domain });
    return change(ask, { what: 'release', touches }, async (host, options) =>
      done(await releaseDomain(host, { domain }, options)),
    );
  },
  async apply(ask) {
    const { domain, settings, takesAll } = ask.request;
    const { usb, notes } = parseSettings(settings, 'the settings', domain);
    const touches = (seen: Inventory): Touched => touchedByApply(seen, { domain, usb });
    return telling((onChange) =>
      change(ask, { what: 'apply', touches }, async (host, options) => {
        const { plans, domid, changes } = await applyUsb(
          host,
          { domain, usb, takesAll },
          { ...options, onChange },
        );
        return { plans, result: { domid, changes, notes } };
      }),
    );
  },
  async prepare(ask) {
    const { domain, settings, waitS } = ask.request;
    const parsed = settings === undefined ? undefined : parseSettings(settings, 'the settings', domain);
    // The rules decide what else it gets, which is not known before it is there.
    const touches = (seen: Inventory): Touched => touchedByRules(seen, { domain });
    if (ask.actor.devices !== undefined) await refuseNow(ask, () => ({ guests: [], devices: 'all' }));
    return telling((onChange) =>
      change(ask, { what: 'prepare', touches }, async (host, options) => {
        const withinMs = waitS === undefined ? undefined : waitS * 1000;
        const request = { domain, usb: parsed?.usb };
        const { plans, domid, changes } = await prepareDomain(host, request, {
          ...options,
          withinMs,
          onChange,
        });
        return { plans, result: { domid, changes, notes: parsed?.notes ?? [] } };
      }),
    );
  },
  async reconcile(ask) {
    const { domain, moves } = ask.request;
    const touches = (seen: Inventory): Touched => touchedByRules(seen, moves ? {} : { domain });
    // Nothing is to be begun, and the name may have come to mean another guest when it is.
    await refuseNow(ask, touches);
    return change(ask, { what: 'reconcile', touches }, async (host, options) => {
      const { plans, ...result } = reconciledJson(await reconcile(host, { ...options, domain, moves }));
      return { plans, result };
    });
  },
  async doctorFix(ask) {
    await refuseNow(ask, () => ({ guests: 'all', devices: 'all' }));
    return change(ask, { what: 'doctor --fix' }, async (host, { signal, onStep, dryRun }) => {
      const diagnosis = await doctor(host, { signal, onStep, fix: !dryRun });
      return { plans: diagnosis.plans, result: toldDiagnosis(diagnosis) };
    });
  },
  async answer(ask) {
    const { parts, request, actor, signal } = ask;
    const { id, grant, dryRun = false } = request;
    const waiting = parts.service.requests.find((one) => one.id === id);
    if (!waiting)
      throw new PvusbError(
        'no-such-request',
        `No device is waiting for approval under the id "${printable(id)}".`,
      );
    const { busid, domid } = waiting;
    const touches = (seen: Inventory): Touched => {
      const guest = domainAt(seen, domid);
      return { guests: guest ? [guest] : 'all', devices: [busid as Busid] };
    };
    await refuseNow(ask, touches);
    const operation = request.operation ?? id;
    const onLook = (seen: Inventory): void => requireTouch(actor, seen, touches);
    const plans = await parts.service.answer(id, grant, { by: actor, operation, dryRun, signal, onLook });
    return { operation, dryRun, result: { id, granted: grant }, plans: plans.map(toldPlan) };
  },
  assign(ask) {
    const { dryRun: _, operation: __, ...request } = ask.request;
    return change(ask, { what: 'assign' }, async (host, { signal, dryRun }) => ({
      plans: [],
      result: await ('rule' in request
        ? assignLine(host, request.rule, { signal, dryRun })
        : assign(host, { ...request, mode: request.mode ?? 'auto' }, { signal, dryRun })),
    }));
  },
  unassign(ask) {
    const { dryRun: _, operation: __, ...request } = ask.request;
    return change(ask, { what: 'unassign' }, async (host, { signal, dryRun }) => ({
      plans: [],
      result: await unassign(host, request, { signal, dryRun }),
    }));
  },
};

function done<T>({ plan, result }: { readonly plan: Plan; readonly result: T }) {
  return { plans: [plan], result };
}

function removed(
  ask: Ask<{
    readonly domain: string | number;
    readonly devid: number;
    readonly dryRun?: boolean | undefined;
    readonly operation?: string | undefined;
  }>,
  what: string,
  destroy: boolean,
) {
  const { domain, devid } = ask.request;
  const touches = (seen: Inventory): Touched => touchedByRemove(seen, { domain, devid });
  return change(ask, { what, touches }, async (host, options) =>
    done(await removeController(host, { domain, devid, destroy }, options)),
  );
}

/** Refuses before anything is begun: for what does not plan on one look. */
async function refuseNow(
  { parts, actor, signal }: Ask<unknown>,
  touches: (seen: Inventory) => Touched,
): Promise<void> {
  requireTouch(actor, await parts.service.inventory(signal), touches);
}

/** What was done is told with the error when a later change fails. */
async function telling<T>(body: (onChange: (adjustment: Adjustment) => void) => Promise<T>): Promise<T> {
  const changes: Adjustment[] = [];
  try {
    return await body((adjustment) => changes.push(adjustment));
  } catch (error) {
    throw changes.length === 0 ? error : new HalfDoneError(error, changes);
  }
}
