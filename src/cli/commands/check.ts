/** `pvusb check`: mistakes in the rules. */
import { checkRules, type RuleRemark } from '../../commands/index.js';
import { observe } from '../../pvusb/index.js';
import { formatPlace } from '../../rules/index.js';
import { printable } from '../../sysfs/index.js';
import { type CommonOptions, printJson, withHost } from '../context.js';
import { requireFolder } from '../settings-file.js';
import type { Terminal } from '../terminal.js';
import { withRules } from './explain.js';

/** Options of the command. */
export interface CheckOptions extends CommonOptions {
  readonly rules?: string;
}

/** Exit status when a rule is wrong. */
const WRONG_STATUS = 1;

/** Runs the command; gives the exit status. */
export async function runCheck(terminal: Terminal, options: CheckOptions): Promise<number> {
  if (options.rules !== undefined) await requireFolder(options.rules);
  return withHost(terminal, options, async (host, { signal }) => {
    const inventory = await observe(withRules(host, options), { signal, rules: true, details: true });
    const checked = checkRules(inventory);
    const { rules, problems, doubts } = checked;
    if (options.json) printJson(terminal, checked);
    else terminal.out(format(rules, problems, doubts));
    return problems.length > 0 ? WRONG_STATUS : 0;
  });
}

function format(count: number, problems: readonly RuleRemark[], doubts: readonly RuleRemark[]): string {
  const tell = ({ message, ...place }: RuleRemark): string =>
    `${formatPlace(place)}: ${printable(message)}\n`;
  const rules = `${count} ${count === 1 ? 'rule' : 'rules'}`;
  const wrong = problems.length === 0 ? '' : `${problems.map(tell).join('')}\n`;
  const notes = doubts.length === 0 ? '' : `Notes:\n${doubts.map(tell).join('')}\n`;
  const end =
    problems.length === 0
      ? 'nothing is wrong'
      : `${problems.length} ${problems.length === 1 ? 'line is' : 'lines are'} wrong`;
  return `${wrong}${notes}${rules}, ${end}.\n`;
}
