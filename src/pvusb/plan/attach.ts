/** Plans that lend a device to a guest. Pure. */
import type { HostUse } from '../../hostuse/index.js';
import type { Busid, UsbDevice } from '../../sysfs/index.js';
import { USBBACK } from '../model/drivers.js';
import { PvusbError, type PvusbErrorCode } from '../model/errors.js';
import { findControllerOf, placesOf } from '../model/find.js';
import type { Domain, Inventory } from '../model/inventory.js';
import type { Plan, Step } from '../model/plan.js';
import type { Target } from '../model/request.js';
import { isServed } from '../model/served.js';
import { namePort } from '../model/wording.js';
import { servedTypeOn } from '../types/types.js';
import { claimStep, lookStep, verifyStep } from './claim.js';
import { addSteps } from './controller.js';
import { denialProblem } from './denied.js';
import { type AttachRequest, chooseTarget } from './target.js';

/** Longest reason of a forced attach. */
const REASON_MAX = 200;

/** Uses that one message tells. */
const USES_SAID_MAX = 3;

/** The plan, and the port that it chose. */
export interface AttachPlan {
  readonly plan: Plan;
  readonly target: Target;
}

/**
 * Claims a port in one transaction, which checks every port of the host again, and hands the device over: every
 * interface to usbback, or the whole device to the domain's QEMU. Undone, it leaves the host as it was.
 *
 * @throws {PvusbError} of the group `refused`, or of the host's when the QEMU cannot be asked
 */
export function planAttach(
  inventory: Inventory,
  domain: Domain,
  device: UsbDevice,
  request: AttachRequest = {},
): AttachPlan {
  const { force } = request;
  if (force !== undefined) requireReason(force);
  const problem = attachProblem(inventory, device, request);
  if (problem) throw isThere(problem, domain, request) ? thereAlready(problem) : problem;
  const denial = force === undefined ? denialProblem(inventory, device, domain) : undefined;
  if (denial) throw denial;
  const forced = isOverridden(inventory, device, domain) ? force : undefined;
  const target = chooseTarget(inventory, domain, device, request);
  return {
    target,
    plan: {
      title: `attach ${device.busid} to ${namePort(inventory, target)}`,
      steps: [
        ...(target.created ? addSteps(inventory, target.created) : serveSteps(inventory, target)),
        claimStep(inventory, device, target, forced),
        verifyStep(device),
        ...servedTypeOn(inventory, target.type).handOver(inventory, device, target),
        lookStep(inventory, device, target),
      ],
      onFailure: 'undo',
    },
  };
}

/**
 * Why a device cannot be lent now; undefined when it can: it is a hub, some guest already has it, the host does not
 * allow its use (then no driver gets an interface of it, neither usbback nor QEMU), or the host itself needs it, as far
 * as the inventory says so. Only the last can be overridden, with `force`.
 */
export function attachProblem(
  inventory: Pick<Inventory, 'domains' | 'controllers' | 'uses'>,
  device: UsbDevice,
  { force }: Pick<AttachRequest, 'force'> = {},
): PvusbError | undefined {
  const { busid, kind, interfaces } = device;
  const problem = (code: PvusbErrorCode, sentence: string): PvusbError =>
    new PvusbError(code, sentence, { where: { busid } });
  if (kind === 'root-hub') return problem('is-root-hub', `${busid} is a root hub.`);
  if (kind === 'hub') return problem('is-hub', `${busid} is a hub.`);
  const place = placesOf(inventory, busid)[0];
  if (place) {
    const { domid, devid } = place.controller;
    const at = { domid, devid, port: place.port.port };
    return new PvusbError('already-attached', `${busid} is already attached to ${namePort(inventory, at)}.`, {
      where: { ...at, busid },
    });
  }
  // usbback tells a guest about a device when it gets its interfaces: nobody hears of one whose interfaces it already
  // has.
  if (interfaces.some(({ driver }) => driver === USBBACK))
    return problem('half-attached', `${busid} is bound to usbback, but not attached to any port.`);
  if (device.unauthorized)
    return problem('not-authorized', `${busid} is not authorized on the host, so no guest can use it.`);
  const forbidden = interfaces.filter(({ unauthorized }) => unauthorized).map(({ id }) => id);
  if (forbidden.length > 0) {
    const what =
      forbidden.length === 1 ? `Interface ${forbidden[0]} is` : `Interfaces ${forbidden.join(', ')} are`;
    return problem('not-authorized', `${what} not authorized on the host, so no guest can use ${busid}.`);
  }
  if (device.unconfigured)
    return problem('no-interfaces', `${busid} is not configured: the host could not start it.`);
  if (interfaces.length === 0)
    return problem('no-interfaces', `${busid} has no interfaces, so there is nothing to give to a guest.`);
  const needs = neededUses(inventory, busid);
  if (needs.length === 0 || force !== undefined) return undefined;
  return problem('host-needs-it', `The host needs ${busid}: ${listUses(needs)}.`);
}

/** Whether a reason is needed, and so worth keeping. Rules that cannot be read might deny it. */
function isOverridden(inventory: Inventory, device: UsbDevice, domain: Domain): boolean {
  if (neededUses(inventory, device.busid).length > 0) return true;
  try {
    return denialProblem(inventory, device, domain) !== undefined;
  } catch (error) {
    if (error instanceof PvusbError) return true;
    throw error;
  }
}

/** The uses of a device that forbid lending it. */
export function neededUses({ uses = [] }: Pick<Inventory, 'uses'>, busid: Busid): HostUse[] {
  return uses.filter((use) => use.busid === busid && use.grade === 'refuse');
}

/** The first ones say enough: a volume group can have a hundred volumes. */
function listUses(uses: readonly HostUse[]): string {
  const said = uses.slice(0, USES_SAID_MAX).map(({ sentence }) => sentence);
  const more = uses.length - said.length;
  return [...said, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}

/** A reason is one line, and short. */
function requireReason(force: string): void {
  if (force.trim() !== '' && [...force].length <= REASON_MAX && !/\p{Cc}|\p{Cs}|[\u2028\u2029]/u.test(force))
    return;
  throw new PvusbError(
    'invalid-argument',
    `The reason for a forced attach must have 1 to ${REASON_MAX} characters and no control characters.`,
  );
}

/** Whether a device cannot be attached because it already is, just where it was asked to be. */
function isThere({ code, where }: PvusbError, { domid }: Domain, { devid, port }: AttachRequest): boolean {
  const isMeant = where.devid === (devid ?? where.devid) && where.port === (port ?? where.port);
  return code === 'already-attached' && where.domid === domid && isMeant;
}

function thereAlready({ code, message, where }: PvusbError): PvusbError {
  const remedy = 'It is already where you asked for it; if the guest cannot use it, detach it first.';
  return new PvusbError(code, message, { where, remedy });
}

/** The controller may not have been taken yet, or its QEMU may no longer have it. */
export function serveSteps(inventory: Inventory, { type, ...id }: Target): readonly Step[] {
  const controller = findControllerOf(inventory, id);
  return controller && isServed(controller)
    ? servedTypeOn(inventory, type).serveRecorded(inventory, controller)
    : [];
}
