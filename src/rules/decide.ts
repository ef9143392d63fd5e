/** Which guest each device is for: the most specific rule wins, a tie is nobody's. */
import type { Busid } from '../sysfs/busid.js';
import type { UsbDevice } from '../sysfs/device.js';
import { isAboutOne, mismatch, type Subject, specificity } from './match.js';
import { EVERY_GUEST, type Rule } from './rule.js';
import { RuleIndex } from './rule-index.js';
import { socketsOf } from './socket.js';

/** A guest, so that its name and its uuid are known to be the same. */
export interface Guest {
  readonly name?: string | undefined;
  readonly uuid?: string | undefined;
}

/** Whom a device is for. */
export type Verdict =
  /** `beside`: other rules that say the same. */
  | { readonly verdict: 'assigned'; readonly rule: Rule; readonly beside: readonly Rule[] }
  /** Every rule that would give it away is overruled by one that denies. */
  | { readonly verdict: 'denied'; readonly by: Rule }
  /** Rules that are as specific as each other want different things. */
  | { readonly verdict: 'tied'; readonly rules: readonly Rule[] }
  /** The rule is for one device, but these are alike. */
  | { readonly verdict: 'ambiguous'; readonly rule: Rule; readonly alike: readonly Busid[] }
  | { readonly verdict: 'none' };

/** What the rules say about a device. */
export interface Decision extends Subject {
  /** The rules that are about it, the most specific first; of equals, in the order of the files. */
  readonly matching: readonly Rule[];
  readonly verdict: Verdict;
}

/** Decides about every device that is not a hub. Devices should be those of a scan with details, hubs included. */
export function decide(
  rules: readonly Rule[],
  devices: readonly UsbDevice[],
  guests: readonly Guest[] = [],
): Decision[] {
  const sockets = socketsOf(devices);
  const index = new RuleIndex(rules);
  const decisions = devices
    .filter(({ kind }) => kind === 'device')
    .map((device): Decision => {
      const subject = { device, socket: sockets.get(device.busid)! };
      const matching = index
        .candidates(subject)
        .flatMap(({ rule }) => (mismatch(rule, subject) === undefined ? [rule] : []));
      return { ...subject, matching, verdict: judge(matching, guests) };
    });
  return withoutGuesses(decisions);
}

function judge(matching: readonly Rule[], guests: readonly Guest[]): Verdict {
  const given = matching.filter(({ mode }) => mode !== 'deny');
  const allowed = given.filter((rule) => denierOf(rule, matching, guests) === undefined);
  const [best] = allowed;
  if (!best) {
    const [denied] = given;
    const by = denied ? denierOf(denied, matching, guests) : matching[0];
    return by ? { verdict: 'denied', by } : { verdict: 'none' };
  }
  const rank = specificity(best.identity);
  const equals = allowed.filter(({ identity }) => specificity(identity) === rank);
  return equals.every((rule) => isSame(rule, best, guests))
    ? { verdict: 'assigned', rule: best, beside: equals.slice(1) }
    : { verdict: 'tied', rules: equals };
}

/** The rule that keeps a guest from getting what this one gives it: one that is at least as specific. */
function denierOf(rule: Rule, matching: readonly Rule[], guests: readonly Guest[]): Rule | undefined {
  return matching.find((other) => {
    const isFor =
      other.guest === EVERY_GUEST || guestKey(other.guest, guests) === guestKey(rule.guest, guests);
    return other.mode === 'deny' && isFor && specificity(other.identity) >= specificity(rule.identity);
  });
}

/** Whether a guest may not have a device: the rule that says so, unless a more specific one gives it the device. */
export function denial({ matching }: Decision, guest: Guest): Rule | undefined {
  const isFor = (rule: Rule): boolean => isGuest(rule.guest, guest);
  const deny = matching.find((rule) => rule.mode === 'deny' && (rule.guest === EVERY_GUEST || isFor(rule)));
  const grant = matching.find((rule) => rule.mode !== 'deny' && isFor(rule));
  if (!deny || (grant && specificity(grant.identity) > specificity(deny.identity))) return undefined;
  return deny;
}

/** Whether a rule's word for a guest means this one. */
export function isGuest(said: string, { name, uuid }: Guest): boolean {
  return said === name || said === uuid?.toLowerCase();
}

/** The same for both names of a guest, where both are known. */
function guestKey(said: string, guests: readonly Guest[]): string {
  return guests.find((guest) => isGuest(said, guest))?.uuid?.toLowerCase() ?? said;
}

/** Whether two rules want the same. */
function isSame(one: Rule, other: Rule, guests: readonly Guest[]): boolean {
  return (
    one.mode === other.mode &&
    guestKey(one.guest, guests) === guestKey(other.guest, guests) &&
    one.devid === other.devid &&
    one.port === other.port
  );
}

/** A rule that is about one device gives none away when several fit. */
function withoutGuesses(decisions: readonly Decision[]): Decision[] {
  const taken = new Map<Rule, Busid[]>();
  for (const { device, verdict } of decisions) {
    if (verdict.verdict !== 'assigned' || !isAboutOne(verdict.rule)) continue;
    taken.set(verdict.rule, [...(taken.get(verdict.rule) ?? []), device.busid]);
  }
  return decisions.map((decision) => {
    const { verdict } = decision;
    const alike = verdict.verdict === 'assigned' ? (taken.get(verdict.rule) ?? []) : [];
    if (verdict.verdict !== 'assigned' || alike.length < 2) return decision;
    return { ...decision, verdict: { verdict: 'ambiguous', rule: verdict.rule, alike } };
  });
}
