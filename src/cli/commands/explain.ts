/** `pvusb explain`: which rules apply to a device, and why. */
import { describeGuests, explain, explanationJson, type RulePart } from '../../commands/index.js';
import { type Host, type Inventory, observe, openRuleFiles, systemClock } from '../../pvusb/index.js';
import { formatRule } from '../../rules/index.js';
import { describeDevice, printable } from '../../sysfs/index.js';
import { type CommonOptions, printJson, withHost } from '../context.js';
import { requireFolder } from '../settings-file.js';
import { formatTable } from '../table.js';
import type { Terminal } from '../terminal.js';

/** Options of the command. */
export interface ExplainOptions extends CommonOptions {
  readonly host?: string;
  readonly rules?: string;
}

/** Runs the command. */
export async function runExplain(
  terminal: Terminal,
  args: { readonly device: string; readonly domain?: string | undefined },
  options: ExplainOptions,
): Promise<void> {
  await withExplained(terminal, options, (inventory) => {
    const explained = explain(inventory, args);
    const { device, decision, verdict, problem, parts } = explained;
    if (options.json) return printJson(terminal, explanationJson(explained));
    const socket = decision ? `, socket ${decision.socket}` : '';
    terminal.out(`${device.busid}: ${describeDevice(device)}${socket}\n${printable(verdict)}\n`);
    const holder = describeGuests(inventory, device);
    if (holder !== undefined) terminal.out(`${holder} has it now.\n`);
    else if (problem) terminal.out(`It cannot be attached: ${printable(problem.message)}\n`);
    if (parts.length > 0) terminal.out(`\n${formatParts(parts, terminal.columns)}`);
  });
}

/** This host, or a recorded one; with its rules or those of a folder. */
async function withExplained(
  terminal: Terminal,
  options: ExplainOptions,
  body: (inventory: Inventory) => void,
): Promise<void> {
  if (options.rules !== undefined) await requireFolder(options.rules);
  const look = async (host: Host): Promise<void> => {
    const { signal } = terminal;
    body(await observe(withRules(host, options), { signal, rules: true, details: true, uses: 'all' }));
  };
  if (options.host === undefined) return withHost(terminal, options, look);
  const { readWorld } = await import('./sim.js');
  const { simulatedHost } = await import('../../testing/index.js');
  await using host = await simulatedHost(await readWorld(options.host));
  await look(host);
}

/** A host with the rules of another folder, if one was named. */
export function withRules(host: Host, { rules }: { readonly rules?: string | undefined }): Host {
  return rules === undefined ? host : { ...host, rules: openRuleFiles(rules, systemClock) };
}

function formatParts(parts: readonly RulePart[], columns: number | undefined): string {
  const cells = (cell: (part: RulePart) => string) => ({ cells: parts.map(cell) });
  return formatTable(
    [
      { title: 'RULE', ...cells(({ rule }) => `${rule.place.file}:${rule.place.line}`) },
      { title: 'SAYS', ...cells(({ rule }) => printable(formatRule(rule))), narrowest: 20 },
      { title: 'OUTCOME', ...cells(({ outcome }) => printable(outcome)) },
    ],
    columns,
  );
}
