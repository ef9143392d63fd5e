/** What is doubtful about rules, whatever the host: found without looking at devices. */
import { isAboutOne, specificity } from './match.js';
import { EVERY_GUEST, formatPlace, type Identity, type Rule, type RuleProblem } from './rule.js';

/** A doubt about a rule: one sentence. */
export interface RuleDoubt extends RuleProblem {
  readonly doubt: 'duplicate' | 'contradictory' | 'unreachable' | 'impossible' | 'one-port';
}

/** The doubts about rules, in their order. */
export function doubtsAbout(rules: readonly Rule[]): RuleDoubt[] {
  const byIdentity = grouped(rules);
  return rules.flatMap((rule) => {
    const alike = byIdentity.get(identityKey(rule.identity))!;
    const doubt = impossible(rule) ?? beside(rule, alike) ?? denied(rule, rules) ?? crowded(rule);
    return doubt ? [{ ...rule.place, ...doubt }] : [];
  });
}

type Doubt = Pick<RuleDoubt, 'doubt' | 'message'>;

function grouped(rules: readonly Rule[]): ReadonlyMap<string, readonly Rule[]> {
  const groups = new Map<string, Rule[]>();
  for (const rule of rules) {
    const key = identityKey(rule.identity);
    const group = groups.get(key);
    if (group) group.push(rule);
    else groups.set(key, [rule]);
  }
  return groups;
}

function identityKey({ ids, serial, socket, behind, interfaces, hash }: Identity): string {
  return JSON.stringify([ids, serial, socket, behind, interfaces && [...interfaces].sort(), hash]);
}

/** Nothing can be in a socket and not behind the hub that the socket is behind. */
function impossible({ identity: { socket, behind } }: Rule): Doubt | undefined {
  if (socket === undefined || behind === undefined || socket.startsWith(`${behind}.`)) return undefined;
  return { doubt: 'impossible', message: `Socket ${socket} is not behind ${behind}: no device can match.` };
}

/** Other rules about the same devices. */
function beside(rule: Rule, alike: readonly Rule[]): Doubt | undefined {
  const others = alike.filter((other) => other !== rule);
  const deny = others.find((other) => other.mode === 'deny' && overrules(other, rule));
  if (rule.mode !== 'deny' && deny)
    return {
      doubt: 'contradictory',
      message: `${formatPlace(deny.place)} denies the same devices, and wins.`,
    };
  const rival = others.find(
    (other) => other.mode !== 'deny' && rule.mode !== 'deny' && !wantsSame(rule, other),
  );
  if (rival)
    return {
      doubt: 'contradictory',
      message: `${formatPlace(rival.place)} contradicts this for the same devices: neither applies.`,
    };
  const first = alike.find((other) => other.mode === rule.mode && other.guest === rule.guest);
  if (first === rule || !first) return undefined;
  return { doubt: 'duplicate', message: `${formatPlace(first.place)} says the same.` };
}

function overrules(deny: Rule, { guest }: Rule): boolean {
  return deny.guest === EVERY_GUEST || deny.guest === guest;
}

function wantsSame(one: Rule, other: Rule): boolean {
  return (
    one.mode === other.mode &&
    one.guest === other.guest &&
    one.devid === other.devid &&
    one.port === other.port
  );
}

/** A rule that denies everything that this one is about, and is at least as specific. */
function denied(rule: Rule, rules: readonly Rule[]): Doubt | undefined {
  if (rule.mode === 'deny') return undefined;
  const rank = specificity(rule.identity);
  const deny = rules.find(
    (other) =>
      other.mode === 'deny' &&
      overrules(other, rule) &&
      specificity(other.identity) >= rank &&
      includes(other.identity, rule.identity),
  );
  return (
    deny && { doubt: 'unreachable', message: `${formatPlace(deny.place)} denies everything that it matches.` }
  );
}

/** Whether every device of the second identity has the first one: what the first says, the second says too. */
function includes(wide: Identity, narrow: Identity): boolean {
  const keys = ['serial', 'socket', 'behind', 'hash'] as const;
  const isIn = keys.every((key) => wide[key] === undefined || wide[key] === narrow[key]);
  const hasIds =
    wide.ids === undefined ||
    wide.ids === narrow.ids ||
    (wide.ids.endsWith('*') && narrow.ids?.startsWith(wide.ids.slice(0, 5)) === true);
  return isIn && hasIds && wide.interfaces === undefined;
}

/** Several devices do not fit into one port. */
function crowded(rule: Rule): Doubt | undefined {
  const { identity, port } = rule;
  if (port === undefined || identity.socket !== undefined || isAboutOne(rule)) return undefined;
  return {
    doubt: 'one-port',
    message: `It matches any number of devices but names one port: only the first gets it.`,
  };
}
