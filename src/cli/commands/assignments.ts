/** `pvusb assignments`: the rules that give devices to guests, and what has become of them. */
import { assignmentJson } from '../../commands/index.js';
import { type Assignment, assignmentsOf, deviceAt, type Inventory, observe } from '../../pvusb/index.js';
import { describeDevice, printable } from '../../sysfs/index.js';
import { type CommonOptions, printJson, withHost } from '../context.js';
import { formatTable } from '../table.js';
import type { Terminal } from '../terminal.js';

/** Runs the command. */
export async function runAssignments(terminal: Terminal, options: CommonOptions): Promise<void> {
  await withHost(terminal, options, async (host, { signal }) => {
    const inventory = await observe(host, { signal, rules: true, asks: 'all', uses: 'all' });
    const assignments = assignmentsOf(inventory);
    if (options.json) printJson(terminal, assignments.map(assignmentJson));
    else terminal.out(formatAssignments(inventory, assignments, terminal.columns));
  });
}

/** The table, and below it a line for each assignment whose device is not there. */
export function formatAssignments(
  inventory: Inventory,
  assignments: readonly Assignment[],
  columns?: number | undefined,
): string {
  if (assignments.length === 0)
    return 'No rule gives a device to a guest. Make one with "pvusb assign" or "pvusb attach --always".\n';
  const cells = (cell: (assignment: Assignment) => string) => ({ cells: assignments.map(cell) });
  const table = formatTable(
    [
      { title: 'RULE', ...cells(({ rule }) => `${rule.place.file}:${rule.place.line}`) },
      { title: 'GUEST', ...cells(({ rule }) => printable(rule.guest)) },
      { title: 'MODE', ...cells(({ rule }) => rule.mode) },
      { title: 'STATE', ...cells(({ status }) => status) },
      { title: 'BUSID', ...cells(({ busid }) => busid ?? '-') },
      { title: 'DEVICE', ...cells((assignment) => nameOf(inventory, assignment)), narrowest: 12 },
    ],
    columns,
  );
  const reasons = assignments.flatMap(({ rule, why }) =>
    why === undefined ? [] : [`${rule.place.file}:${rule.place.line}: ${printable(why)}\n`],
  );
  return `${table}${reasons.length === 0 ? '' : `\n${[...new Set(reasons)].join('')}`}`;
}

function nameOf(inventory: Inventory, { busid, rule }: Assignment): string {
  const device = busid === undefined ? undefined : deviceAt(inventory, busid);
  return device ? describeDevice(device) : printable(rule.name ?? '');
}
