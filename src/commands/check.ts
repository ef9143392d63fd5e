/** Mistakes in the rules: what `check` answers. */
import { type Inventory, livingGuests } from '../pvusb/index.js';
import {
  decide,
  doubtsAbout,
  EVERY_GUEST,
  formatPlace,
  isGuest,
  parseRules,
  type Rule,
  type RuleProblem,
} from '../rules/index.js';

/** A remark about the rules. */
export interface RuleRemark extends RuleProblem {
  readonly doubt?: string | undefined;
}

/** Remarks about the rules of a host. */
export interface CheckedRules {
  /** How many there are. */
  readonly rules: number;
  readonly problems: readonly RuleRemark[];
  readonly doubts: readonly RuleRemark[];
}

/** Checks the rules of an inventory, with details of its devices. */
export function checkRules(inventory: Inventory): CheckedRules {
  const { rules, problems } = parseRules(inventory.ruleFiles ?? []);
  const doubts: readonly RuleRemark[] = [...doubtsAbout(rules), ...doubtsHere(inventory, rules)];
  return { rules: rules.length, problems, doubts };
}

/** What is doubtful on this host, now. */
function doubtsHere(inventory: Inventory, rules: readonly Rule[]): RuleRemark[] {
  const guests = livingGuests(inventory);
  const seen = new Set(
    decide(rules, inventory.devices, guests).flatMap(({ matching }) =>
      matching.map(({ place }) => formatPlace(place)),
    ),
  );
  return rules.flatMap((rule): RuleRemark[] => {
    const isKnown = rule.guest === EVERY_GUEST || guests.some((guest) => isGuest(rule.guest, guest));
    const remarks: RuleRemark[] = [];
    if (!isKnown)
      remarks.push({
        ...rule.place,
        doubt: 'unknown-guest',
        message: `No guest ${JSON.stringify(rule.guest)} is running.`,
      });
    if (!seen.has(formatPlace(rule.place)))
      remarks.push({
        ...rule.place,
        doubt: 'never-seen',
        message: 'It matches nothing that is plugged in now.',
      });
    return remarks;
  });
}
