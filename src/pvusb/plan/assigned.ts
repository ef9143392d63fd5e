/** What has become of each assignment, and what guests are still to get by them. Pure. */
import { type Decision, formatPlace, isGuest, type Rule } from '../../rules/index.js';
import type { Busid } from '../../sysfs/busid.js';
import { formatIdentity } from '../../sysfs/identity.js';
import type { PvusbError } from '../model/errors.js';
import { placesOf } from '../model/find.js';
import type { Domain, Inventory } from '../model/inventory.js';
import { heldBack } from '../model/quiesced.js';
import { decisionsOf, guestMeant, rulesOf } from '../model/rules.js';
import { nameDomain } from '../model/wording.js';
import { isLent } from './apply.js';
import { attachProblem } from './attach.js';
import { denialProblem } from './denied.js';
import type { FoundDevice } from './wanted.js';

/**
 * `present`: the guest has the device. `pending`: it will get it, at once or when something has happened. `missing`: no
 * device is plugged in that the rule is about. `conflicting`: something else wants the same, or has it. `denied`: a rule
 * or the host itself keeps it from the guest.
 */
export type AssignmentStatus = 'present' | 'pending' | 'missing' | 'conflicting' | 'denied';

/** A rule that gives something away, and what has become of that; one for each device that it is about. */
export interface Assignment {
  readonly rule: Rule;
  readonly status: AssignmentStatus;
  readonly busid?: Busid;
  /** The living guest that it is for. */
  readonly domid?: number;
  /** Why it is not present, a sentence. */
  readonly why?: string;
  /** What the guest is to get now; absent when something has to happen first. */
  readonly want?: FoundDevice;
}

/** A device that stands in for the one that an assignment was about: it came back in the same socket as another. */
export interface Followed {
  readonly busid: Busid;
  readonly rule: Rule;
}

/** Options of {@link assignmentsOf}. */
export interface AssignmentOptions {
  readonly followed?: readonly Followed[] | undefined;
  /** A guest that has a device which belongs to another one loses it. */
  readonly moves?: boolean | undefined;
}

/**
 * What has become of every assignment, in the order of the rules.
 *
 * @throws {PvusbError} `rules-invalid`
 */
export function assignmentsOf(inventory: Inventory, options: AssignmentOptions = {}): Assignment[] {
  const decisions = decisionsOf(inventory).map((decision) => follow(decision, options.followed ?? []));
  return rulesOf(inventory)
    .filter(({ mode }) => mode !== 'deny')
    .flatMap((asked) => {
      const rule = ruleIn(decisions, asked);
      const guest = guestMeant(inventory, (one) => isGuest(rule.guest, one));
      const found = decisions.flatMap((decision) => {
        const made = assignmentOn(inventory, rule, guest, decision, options);
        return made ? [{ rule, ...(guest ? { domid: guest.domid } : {}), ...made }] : [];
      });
      return found.length > 0 ? found : [missing(rule, guest, decisions)];
    });
}

/** The rule as the decisions have it: they were made from another reading of the same text. */
function ruleIn(decisions: readonly Decision[], rule: Rule): Rule {
  const same = (other: Rule): boolean => isAt(other, rule);
  return decisions.flatMap(({ matching }) => matching).find(same) ?? rule;
}

function isAt({ place: one }: Rule, { place: other }: Rule): boolean {
  return one.file === other.file && one.line === other.line;
}

function follow(decision: Decision, followed: readonly Followed[]): Decision {
  const by = followed.find(({ busid }) => busid === decision.device.busid);
  if (!by || decision.verdict.verdict !== 'none') return decision;
  return { ...decision, verdict: { verdict: 'assigned', rule: by.rule, beside: [] } };
}

type Made = Omit<Assignment, 'rule' | 'domid'>;

/** What a rule has to do with a device; undefined when that is nothing. */
function assignmentOn(
  inventory: Inventory,
  rule: Rule,
  guest: Domain | undefined,
  { device, verdict }: Decision,
  options: AssignmentOptions,
): Made | undefined {
  const { busid } = device;
  const made = (status: AssignmentStatus, why?: string): Made => ({
    status,
    busid,
    ...(why === undefined ? {} : { why }),
  });
  switch (verdict.verdict) {
    case 'none':
      return undefined;
    case 'denied':
      return undefined;
    case 'tied': {
      if (!verdict.rules.some((one) => isAt(one, rule))) return undefined;
      const others = verdict.rules.filter((one) => !isAt(one, rule)).map(({ place }) => formatPlace(place));
      return made(
        'conflicting',
        `${others.join(' and ')} ${others.length === 1 ? 'wants' : 'want'} ${busid} otherwise, and just as specifically.`,
      );
    }
    case 'ambiguous': {
      if (!isAt(verdict.rule, rule)) return undefined;
      const { alike } = verdict;
      const owned = guest ? alike.filter((one) => holderOf(inventory, one) === guest.domid) : [];
      // One of them is there: nothing has to be guessed.
      if (owned.length === 1) return owned[0] === busid ? made('present') : undefined;
      if (owned.includes(busid)) return made('present');
      const others = alike.filter((one) => one !== busid);
      return made(
        'conflicting',
        `${busid} and ${others.join(', ')} are identical: add socket= to choose one, or "every" for all.`,
      );
    }
    case 'assigned': {
      const rules = [verdict.rule, ...verdict.beside];
      if (!rules.some((one) => isAt(one, rule))) return undefined;
      return assigned(inventory, rule, guest, device, options);
    }
  }
}

function holderOf(inventory: Inventory, busid: Busid): number | undefined {
  return placesOf(inventory, busid)[0]?.controller.domid;
}

function assigned(
  inventory: Inventory,
  rule: Rule,
  guest: Domain | undefined,
  device: Decision['device'],
  { moves = false }: AssignmentOptions,
): Made {
  const { busid } = device;
  const holder = holderOf(inventory, busid);
  if (guest && holder === guest.domid && hasIt(inventory, device, guest)) return { status: 'present', busid };
  const isElsewhere = holder !== undefined && holder !== guest?.domid;
  if (isElsewhere && !(moves && guest))
    return { status: 'conflicting', busid, why: `${nameDomain(inventory, holder, 'Domain')} has ${busid}.` };
  const problem = holder === undefined ? refusal(inventory, device, guest) : undefined;
  if (problem) return { status: 'denied', busid, why: problem.message };
  if (!guest) return { status: 'pending', busid, why: `${rule.guest} is not running.` };
  if (rule.mode === 'ask')
    return {
      status: 'pending',
      busid,
      why: `It is waiting for approval: pvusb attach ${rule.guest} ${busid}`,
    };
  const held = heldBack(inventory, guest);
  if (held)
    return {
      status: 'pending',
      busid,
      why: `${rule.guest} is quiesced; restore it with: pvusb restore ${held.token}`,
    };
  const { devid, port } = rule;
  const at = { ...(devid === undefined ? {} : { devid }), ...(port === undefined ? {} : { port }) };
  const want = { busid, identity: formatIdentity(device), said: formatPlace(rule.place), ...at };
  return { status: 'pending', busid, want };
}

/** Whether a guest has what its port names: after a replug it may not. */
function hasIt(inventory: Inventory, { busid }: Decision['device'], { domid }: Domain): boolean {
  return placesOf(inventory, busid).some(
    (place) => place.controller.domid === domid && isLent(inventory, place),
  );
}

function refusal(
  inventory: Inventory,
  device: Decision['device'],
  guest: Domain | undefined,
): PvusbError | undefined {
  return attachProblem(inventory, device) ?? (guest && denialProblem(inventory, device, guest));
}

/** No device is for it: because there is none, or because another rule decides about those that it is about. */
function missing(rule: Rule, guest: Domain | undefined, decisions: readonly Decision[]): Assignment {
  const domid = guest ? { domid: guest.domid } : {};
  const about = decisions.find(({ matching }) => matching.some((one) => isAt(one, rule)));
  if (!about) return { rule, ...domid, status: 'missing', why: 'No such device is plugged in.' };
  const { device, verdict } = about;
  const { busid } = device;
  if (verdict.verdict === 'denied')
    return {
      rule,
      ...domid,
      busid,
      status: 'denied',
      why: `${formatPlace(verdict.by.place)} denies ${busid}.`,
    };
  const winner =
    verdict.verdict === 'tied' ? verdict.rules[0] : verdict.verdict === 'none' ? undefined : verdict.rule;
  const why = winner
    ? `${busid} would match, but ${formatPlace(winner.place)} is more specific.`
    : 'No such device is plugged in.';
  return { rule, ...domid, status: 'missing', why };
}
