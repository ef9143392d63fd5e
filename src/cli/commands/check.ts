/** `pvusb check`: mistakes in the rules. */
import { type Inventory, livingGuests, observe } from '../../pvusb/index.js';
import {
  decide,
  doubtsAbout,
  EVERY_GUEST,
  formatPlace,
  isGuest,
  parseRules,
  type Rule,
  type RuleProblem,
} from '../../rules/index.js';
import { printable } from '../../sysfs/index.js';
import { type CommonOptions, printJson, withHost } from '../context.js';
import type { Terminal } from '../terminal.js';

/** Options of the command. */
export interface CheckOptions extends CommonOptions {
  readonly rules?: string;
}

/** Something to tell about the rules. */
interface Remark extends RuleProblem {
  readonly doubt?: string;
}

/** Exit status when a rule is wrong. */
const WRONG_STATUS = 1;

/** Runs the command; gives the exit status. */
export async function runCheck(terminal: Terminal, options: CheckOptions): Promise<number> {
  return withHost(terminal, options, async (host, { signal }) => {
    const inventory = await observe(host, { signal, rules: true, details: true });
    const { rules, problems } = parseRules(inventory.ruleFiles ?? []);
    const doubts: readonly Remark[] = [...doubtsAbout(rules), ...doubtsHere(inventory, rules)];
    if (options.json) printJson(terminal, { rules: rules.length, problems, doubts });
    else terminal.out(format(rules.length, problems, doubts));
    return problems.length > 0 ? WRONG_STATUS : 0;
  });
}

/** What is doubtful on this host, now. */
function doubtsHere(inventory: Inventory, rules: readonly Rule[]): Remark[] {
  const guests = livingGuests(inventory);
  const seen = new Set(
    decide(rules, inventory.devices, guests).flatMap(({ matching }) =>
      matching.map(({ place }) => formatPlace(place)),
    ),
  );
  return rules.flatMap((rule): Remark[] => {
    const isKnown = rule.guest === EVERY_GUEST || guests.some((guest) => isGuest(rule.guest, guest));
    const remarks: Remark[] = [];
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
        message: 'It is about nothing that is plugged in now.',
      });
    return remarks;
  });
}

function format(count: number, problems: readonly Remark[], doubts: readonly Remark[]): string {
  const tell = ({ message, ...place }: Remark): string => `${formatPlace(place)}: ${printable(message)}\n`;
  const rules = `${count} ${count === 1 ? 'rule' : 'rules'}`;
  const wrong = problems.length === 0 ? '' : `${problems.map(tell).join('')}\n`;
  const notes = doubts.length === 0 ? '' : `Notes:\n${doubts.map(tell).join('')}\n`;
  const end =
    problems.length === 0
      ? 'nothing is wrong'
      : `${problems.length} ${problems.length === 1 ? 'line is' : 'lines are'} wrong`;
  return `${wrong}${notes}${rules}, ${end}.\n`;
}
