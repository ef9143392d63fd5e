/** Gives a domain that is being created what its configuration names, before it runs. */
import { DeadlineError, withDeadline } from '../../async/index.js';
import { formatPlace } from '../../rules/index.js';
import { INTRODUCE_DOMAIN } from '../../xenstore/index.js';
import { PvusbError } from '../model/errors.js';
import { toPvusbError } from '../model/failure.js';
import { type DomainName, findDomain } from '../model/find.js';
import type { Domain } from '../model/inventory.js';
import { labelDomain } from '../model/wording.js';
import { isNotYet, MAKING_MS, requireBuilt } from '../observe/built.js';
import { observeDomains } from '../observe/domains.js';
import type { Changes, Host } from '../observe/host.js';
import type { Adjustment } from '../plan/apply.js';
import type { Assignment } from '../plan/assigned.js';
import type { Unmet } from '../plan/reconcile.js';
import type { WantedUsb } from '../plan/wanted.js';
import { type Applied, type ApplyOptions, applyUsb } from './apply.js';
import { reconcile } from './reconcile.js';

/** How long a domain may take to appear, and the longest pause before it is looked for again. */
const WITHIN_MS = 60_000;
const LOOK_AGAIN_MS = 1_000;

/** Options of {@link prepareDomain}. */
export interface PrepareOptions extends ApplyOptions {
  /** How long to wait for the domain and its QEMU; 60,000 ms unless given. */
  readonly withinMs?: number | undefined;
  /** Called once, with the reason, when the domain has to be waited for. */
  readonly onWait?: ((why: Error) => void) | undefined;
}

/** Which domain is prepared, and with what. */
export interface PrepareRequest {
  readonly domain: DomainName;
  /** Nothing but the assignments unless given. */
  readonly usb?: WantedUsb | undefined;
}

/**
 * Waits until the domain exists, perhaps paused (`xl create -p`), and adds what the configuration names and the rules assign, and it lacks.
 * Nothing is taken from it, and nothing is expected of the guest. The changes are those of all attempts, the plans
 * those of the last one.
 *
 * @throws {PvusbError} as {@link applyUsb}; `no-such-domain` and the like when time is up; `required-missing`: it lacks
 *   a device that a rule requires; `rules-invalid`; `aborted`
 */
export async function prepareDomain(
  host: Host,
  request: PrepareRequest,
  options: PrepareOptions = {},
): Promise<Applied> {
  try {
    return await tryUntilDone(host, request, options);
  } catch (error) {
    throw toPvusbError(error, { doing: 'waiting for the domain', signal: options.signal });
  }
}

async function tryUntilDone(host: Host, request: PrepareRequest, options: PrepareOptions): Promise<Applied> {
  const { signal, withinMs = WITHIN_MS, onWait, onChange } = options;
  const { clock } = host;
  const endMs = clock.nowMs() + withinMs;
  // A failed attempt may have changed something all the same, and the next one finds nothing left to do there.
  const changes: Adjustment[] = [];
  const collecting = (change: Adjustment): void => {
    changes.push(change);
    onChange?.(change);
  };
  const seen = new Map<number, number>();
  const introduced = await host.xenstore.watch(INTRODUCE_DOMAIN, { signal });
  try {
    for (let isFirst = true; ; isFirst = false) {
      try {
        if (!options.dryRun) await requireOld(host, request.domain, seen, signal);
        const isLast = options.dryRun || clock.nowMs() >= endMs;
        const applied = await prepareOnce(host, request, { ...options, onChange: collecting }, isLast);
        return options.dryRun ? applied : { ...applied, changes };
      } catch (error) {
        const leftMs = endMs - clock.nowMs();
        if (!isNotYet(error) || leftMs <= 0 || options.dryRun) throw error;
        if (isFirst && error instanceof Error) onWait?.(error);
        await waitFor(introduced, host, { withinMs: Math.min(LOOK_AGAIN_MS, leftMs), signal });
      }
    }
  } finally {
    // With a lost connection the watch is gone anyway: the error to report is the one that lost it.
    await introduced.close().catch(() => undefined);
  }
}

/** What the configuration names, then what the rules assign. An assignment that is not required may fail at last. */
async function prepareOnce(
  host: Host,
  { domain, usb }: PrepareRequest,
  options: ApplyOptions,
  isLast: boolean,
): Promise<Applied> {
  const named = usb ? await applyUsb(host, { domain, usb, addsOnly: true }, options) : undefined;
  const { assignments, changes, plans, unmet } = await reconcile(host, { ...options, domain, isBuilt: true });
  const early = isLast ? undefined : unmet.find(({ error }) => isNotYet(error));
  if (early) throw early.error;
  const asked = findDomain(await observeDomains(host.xenstore, options), named?.domid ?? domain);
  const { domid } = asked;
  const isMet = ({ status, want }: Assignment): boolean =>
    status === 'present' || (options.dryRun === true && want !== undefined);
  const lacking = assignments.find(
    (one) => one.domid === domid && one.rule.mode === 'required' && !isMet(one),
  );
  if (lacking) throw requiredMissing(asked, lacking, unmet);
  return {
    domid,
    changes: [...(named?.changes ?? []), ...changes],
    plans: [...(named?.plans ?? []), ...plans],
  };
}

function requiredMissing(
  domain: Domain,
  { rule, busid, why }: Assignment,
  unmet: readonly Unmet[],
): PvusbError {
  const failed = unmet.find(({ device }) => device.busid === busid)?.error;
  const { domid } = domain;
  const sentence = `${labelDomain(domain, 'Domain')} lacks a device that ${formatPlace(rule.place)} requires: ${failed?.message ?? why}`;
  return new PvusbError('required-missing', sentence, { where: { domid, busid }, cause: failed });
}

/**
 * A domain without a saved configuration is being created, for as long as that may take; `seen` says since when it has
 * been there.
 */
async function requireOld(
  host: Host,
  name: DomainName,
  seen: Map<number, number>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const domain = findDomain(await observeDomains(host.xenstore, { signal }), name);
  const { domid } = domain;
  const nowMs = host.clock.nowMs();
  const sinceMs = seen.get(domid) ?? nowMs;
  seen.set(domid, sinceMs);
  if (nowMs - sinceMs <= MAKING_MS) await requireBuilt(host, domain, { signal });
}

/** Waits until a domain is introduced, or for a while: what follows (a name, a QEMU) has no event of its own. */
async function waitFor(
  introduced: Changes,
  { clock }: Host,
  pause: { readonly withinMs: number; readonly signal: AbortSignal | undefined },
): Promise<void> {
  try {
    await withDeadline(clock, pause, (signal) => introduced.next({ signal }));
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
  }
}
