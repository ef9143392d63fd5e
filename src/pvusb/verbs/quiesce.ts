/** Taking all devices off a guest for a while, so that they can be put back as they were. */
import { QuiescedFilesError, type QuiescedGuest, tokenFor } from '../../quiesced/index.js';
import type { Busid } from '../../sysfs/busid.js';
import { PvusbError } from '../model/errors.js';
import { toPvusbError } from '../model/failure.js';
import { controllersOf, type DomainName, findDomain } from '../model/find.js';
import type { Domain, Inventory } from '../model/inventory.js';
import type { Plan } from '../model/plan.js';
import { quiescedAs } from '../model/quiesced.js';
import type { Host } from '../observe/host.js';
import { type Had, hadBy, planQuiesce } from '../plan/quiesce.js';
import { type OperationOptions, operate, qemuFor } from './operate.js';

/** What {@link quiesceDomain} is asked for. */
export interface QuiesceRequest {
  readonly domain: DomainName;
  /** Remove its controllers too: a resumed guest may not be able to use them. */
  readonly controllers?: boolean | undefined;
}

/** What {@link quiesceDomain} took, and how to give it back. */
export interface Quiesced {
  readonly domid: number;
  /** For {@link restoreDomain}; in a dry run what it would be. */
  readonly token: string;
  /** Everything that the guest gets back. */
  readonly busids: readonly Busid[];
  readonly plans: readonly Plan[];
}

/** How often a guest may get something while it is being quiesced. */
const ROUNDS = 20;

/**
 * Takes every device of a guest back, and keeps what it had: on disk before the first one is taken, so that whatever
 * happens {@link restoreDomain} can put it back. Until then neither rules nor the watch give the guest anything. Run
 * again, it goes on under the same token.
 *
 * @throws {PvusbError} `no-such-domain`, `invalid-argument` (domain 0), `state-failed` (nothing was taken);
 *   `driver-not-restored` and what else a detach fails with: then `leftOver` names the token
 */
export async function quiesceDomain(
  host: Host,
  request: QuiesceRequest,
  options: OperationOptions = {},
): Promise<Quiesced> {
  const { signal, dryRun, onLook } = options;
  const look = async (name: DomainName) => {
    const needs = { ...needsOf(name), details: true, quiesced: true };
    const planner = (seen: Inventory) => {
      const domain = requireGuest(seen, name);
      const [known, had] = [quiescedAs(seen, domain), hadBy(seen, domain)];
      const plan = planQuiesce(seen, domain, { kept: had, controllers: request.controllers });
      return { plan, result: { domain, known, had } };
    };
    return operate(host, { signal, onLook, dryRun: true }, planner, needs);
  };
  const plans: Plan[] = [];
  let seen = await look(request.domain);
  const { domain } = seen.result;
  const token = seen.result.known?.token ?? tokenFor(domain);
  let kept: QuiescedGuest | undefined;
  for (let left = ROUNDS; left > 0; left--) {
    // Whoever restores it at the same time may have removed, or cut, what was kept.
    const guest = withWhat(kept, recordOf(token, seen.result));
    const busids = guest.devices.map(({ busid }) => busid);
    if (dryRun) return { domid: domain.domid, token, busids, plans: [seen.plan] };
    const { known } = seen.result;
    const isKept = known !== undefined && !known.isIncomplete && known.devices.length >= guest.devices.length;
    if (isKept && seen.plan.steps.length === 0) return { domid: domain.domid, token, busids, plans };
    await keep(host, guest);
    kept = guest;
    plans.push(await take(host, guest, request, options));
    seen = await look(domain.domid);
  }
  const sentence = `Another program keeps giving domain ${domain.domid} devices while they are being taken.`;
  throw new PvusbError('conflict', sentence, { where: { domid: domain.domid }, leftOver: [keptAs(token)] });
}

function requireGuest(seen: Inventory, name: DomainName): Domain {
  const domain = findDomain(seen, name);
  const { domid, alive } = domain;
  if (domid === 0)
    throw new PvusbError('invalid-argument', 'Domain 0 is the host: only guests can be quiesced.');
  if (!alive) throw new PvusbError('no-such-domain', `Domain ${domid} is dead.`, { where: { domid } });
  return domain;
}

/** What was known before, and what the guest has now. */
function recordOf(
  token: string,
  {
    domain,
    known,
    had,
  }: { readonly domain: Domain; readonly known?: QuiescedGuest | undefined; readonly had: Had },
): QuiescedGuest {
  const { domid, name, uuid } = domain;
  const time = known?.time ?? new Date().toISOString();
  return withWhat(known, { token, time, domid, name, uuid, isIncomplete: false, ...had });
}

/** Also with what was known before. */
function withWhat(known: Had | undefined, guest: QuiescedGuest): QuiescedGuest {
  const { controllers, devices } = guest;
  const isNew = known && {
    controllers: known.controllers.filter((one) => !controllers.some(({ devid }) => devid === one.devid)),
    devices: known.devices.filter((one) => !devices.some(({ busid }) => busid === one.busid)),
  };
  return {
    ...guest,
    controllers: [...controllers, ...(isNew?.controllers ?? [])],
    devices: [...devices, ...(isNew?.devices ?? [])],
  };
}

/** Keeps a guest's record. */
export async function keep(host: Host, guest: QuiescedGuest): Promise<void> {
  try {
    await requireFiles(host).write(guest);
  } catch (error) {
    throw toPvusbError(error, { doing: 'saving what the guest had', where: { domid: guest.domid } });
  }
}

/** The files of a host. */
export function requireFiles({ quiesced }: Host) {
  if (quiesced) return quiesced;
  throw new QuiescedFilesError('this host has no place for the records of quiesced guests');
}

/** A sentence for errors: where what was taken is. */
function keptAs(token: string): string {
  return `What it had is kept: pvusb restore ${token}`;
}

async function take(
  host: Host,
  kept: QuiescedGuest,
  { controllers }: QuiesceRequest,
  options: OperationOptions,
): Promise<Plan> {
  const { domid, token } = kept;
  const planner = (seen: Inventory) => ({
    plan: planQuiesce(seen, requireGuest(seen, domid), { kept, controllers }),
    result: undefined,
  });
  try {
    return (await operate(host, options, planner, needsOf(domid))).plan;
  } catch (error) {
    if (!(error instanceof PvusbError)) throw error;
    const { code, message, where, leftOver, remedy } = error;
    throw new PvusbError(code, message, {
      where,
      remedy,
      cause: error,
      leftOver: [...leftOver, keptAs(token)],
    });
  }
}

function needsOf(name: DomainName) {
  return {
    asks(seen: Inventory) {
      const domain = findDomain(seen, name);
      return qemuFor(
        domain,
        controllersOf(seen, domain.domid).map(({ type }) => type),
      );
    },
  };
}
