/** Which rules apply to a device, and why: what `explain` answers. */
import {
  attachProblem,
  type Domain,
  type DomainName,
  decisionsOf,
  denialProblem,
  findDevice,
  findDomain,
  type Inventory,
  type PvusbError,
  type PvusbErrorCode,
  rulesOf,
} from '../pvusb/index.js';
import {
  classesOf,
  type Decision,
  doubtsAbout,
  EVERY_GUEST,
  formatPlace,
  formatRule,
  type Identity,
  isGuest,
  mismatch,
  type Rule,
  type RulePlace,
  specificity,
  type Verdict,
} from '../rules/index.js';
import type { Busid, UsbDevice } from '../sysfs/index.js';

/** What a rule has to do with a device. */
export interface RulePart {
  readonly rule: Rule;
  readonly outcome: string;
}

/** What the rules say about a device. */
interface Explained {
  readonly device: UsbDevice;
  /** Undefined for a hub. */
  readonly decision: Decision | undefined;
  /** A sentence. */
  readonly verdict: string;
  /** Why it cannot be attached. */
  readonly problem: PvusbError | undefined;
  readonly parts: readonly RulePart[];
}

/**
 * Explains what the rules say about a device; with a domain, also why rules for it are not about the device.
 *
 * @throws {PvusbError} `no-such-device`, `no-such-domain`, `rules-invalid`...
 */
export function explain(
  inventory: Inventory,
  args: { readonly device: string; readonly domain?: DomainName | undefined },
): Explained {
  const device = findDevice(inventory, args.device);
  const domain = args.domain === undefined ? undefined : findDomain(inventory, args.domain);
  const decision = decisionsOf(inventory).find((one) => one.device.busid === device.busid);
  return {
    device,
    decision,
    verdict: describeVerdict(inventory, device, decision),
    problem: attachProblem(inventory, device) ?? denialProblem(inventory, device, domain),
    parts: decision ? partsOf(inventory, decision, domain) : [],
  };
}

/** The same as data. */
export interface Explanation {
  readonly device: Busid;
  readonly socket?: string | undefined;
  readonly verdict: Verdict['verdict'];
  readonly sentence: string;
  readonly problem?: { readonly code: PvusbErrorCode; readonly message: string } | undefined;
  readonly rules: readonly (RulePlace & { readonly rule: string; readonly outcome: string })[];
}

/** What was explained, as data. */
export function explanationJson({ device, decision, verdict, problem, parts }: Explained): Explanation {
  return {
    device: device.busid,
    socket: decision?.socket,
    verdict: decision?.verdict.verdict ?? 'none',
    sentence: verdict,
    problem: problem && { code: problem.code, message: problem.message },
    rules: parts.map(({ rule, outcome }) => ({ ...rule.place, rule: formatRule(rule), outcome })),
  };
}

function partsOf(inventory: Inventory, decision: Decision, domain: Domain | undefined): RulePart[] {
  const rules = rulesOf(inventory);
  const doubts = new Map(doubtsAbout(rules).map((doubt) => [formatPlace(doubt), doubt.message]));
  const noted = (rule: Rule, outcome: string): RulePart => {
    const doubt = doubts.get(formatPlace(rule.place));
    return { rule, outcome: doubt === undefined ? outcome : `${outcome} (${doubt.replace(/\.$/, '')})` };
  };
  const about = decision.matching.map((rule) => noted(rule, outcomeOf(rule, decision)));
  const rest = rules
    .filter((rule) => domain !== undefined && (rule.guest === EVERY_GUEST || isGuest(rule.guest, domain)))
    .flatMap((rule): RulePart[] => {
      const key = mismatch(rule, decision);
      return key === undefined ? [] : [noted(rule, `not this device: ${describeMismatch(key, decision)}`)];
    });
  return [...about, ...rest];
}

function isAt({ place: one }: Rule, { place: other }: Rule): boolean {
  return one.file === other.file && one.line === other.line;
}

function outcomeOf(rule: Rule, { verdict, matching }: Decision): string {
  switch (verdict.verdict) {
    case 'assigned':
      if (isAt(verdict.rule, rule)) return 'wins';
      if (verdict.beside.some((one) => isAt(one, rule))) return 'says the same';
      if (rule.mode === 'deny') return 'less specific, or for another guest';
      return specificity(rule.identity) < specificity(verdict.rule.identity) ? 'less specific' : 'denied';
    case 'denied':
      return isAt(verdict.by, rule) ? 'denies' : rule.mode === 'deny' ? 'denies too' : 'denied';
    case 'tied':
      return verdict.rules.some((one) => isAt(one, rule)) ? 'tied' : 'less specific';
    case 'ambiguous':
      return isAt(verdict.rule, rule) ? 'ambiguous' : 'less specific';
    case 'none':
      return matching.length === 0 ? '' : 'gives nothing';
  }
}

const MISMATCHES: Readonly<Record<keyof Identity, string>> = {
  ids: 'its ids',
  serial: 'its serial number',
  socket: 'its socket',
  behind: 'where it is plugged in',
  interfaces: 'its interfaces',
  hash: 'its hash',
};

function describeMismatch(key: keyof Identity, { device, socket }: Decision): string {
  const values: Readonly<Record<keyof Identity, string>> = {
    ids: `${device.vendorId}:${device.productId}`,
    serial: device.serial === undefined ? 'none' : JSON.stringify(device.serial),
    socket,
    behind: socket,
    interfaces: [...classesOf(device)].join(' ') || 'none',
    hash: device.hash ?? 'none',
  };
  return `${MISMATCHES[key]} (${values[key]})`;
}

function describeVerdict(inventory: Inventory, { busid }: UsbDevice, decision: Decision | undefined): string {
  if (!decision) return `${busid} is a hub: rules apply to the devices behind it.`;
  const { verdict } = decision;
  switch (verdict.verdict) {
    case 'none':
      return inventory.ruleFiles?.length ? `No rule matches ${busid}.` : 'There are no rules.';
    case 'denied':
      return `${formatPlace(verdict.by.place)} denies it.`;
    case 'assigned':
      return `It is for ${verdict.rule.guest} (${verdict.rule.mode}), by ${formatPlace(verdict.rule.place)}.`;
    case 'tied':
      return `No guest gets it: ${verdict.rules.map(({ place }) => formatPlace(place)).join(' and ')} are equally specific and contradict each other.`;
    case 'ambiguous':
      return `No guest gets it: ${formatPlace(verdict.rule.place)} is for one device, but ${verdict.alike.join(' and ')} are identical. Add socket= to choose one, or "every" for all.`;
  }
}
