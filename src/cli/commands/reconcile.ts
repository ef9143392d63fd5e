/** `pvusb reconcile`: guests get what the rules assign to them. */
import { reconciledJson, remedyOf } from '../../commands/index.js';
import { formatPlan, type Reconciled, reconcile } from '../../pvusb/index.js';
import { printable } from '../../sysfs/index.js';
import { type CommonOptions, printJson, withHost } from '../context.js';
import type { Terminal } from '../terminal.js';
import { describeAdjustment } from './apply.js';

/** Options of the command. */
export interface ReconcileCommandOptions extends CommonOptions {
  readonly move?: boolean;
}

/**
 * Runs the command; gives the exit status. It fails with the first error if anything did not work, after everything else
 * was done.
 */
export async function runReconcile(
  terminal: Terminal,
  domain: string | undefined,
  options: ReconcileCommandOptions,
): Promise<number> {
  return withHost(terminal, options, async (host, operation) => {
    const reconciled = await reconcile(host, {
      ...operation,
      domain,
      moves: options.move,
      onChange(adjustment) {
        if (!options.json) terminal.out(`${describeAdjustment(adjustment)}\n`);
      },
    });
    if (options.json) printJson(terminal, reconciledJson(reconciled));
    else terminal.out(formatReconciled(reconciled, options));
    const [first, ...others] = reconciled.unmet;
    if (options.json || !first) return first?.error.exitStatus ?? 0;
    for (const { error } of others)
      terminal.err(`pvusb: ${printable(error.message)}\n${printable(remedyOf(error))} (${error.code})\n`);
    throw first.error;
  });
}

function formatReconciled({ assignments, changes, plans }: Reconciled, { dryRun }: CommonOptions): string {
  const waiting = assignments.filter(({ status, want }) => status !== 'present' && want === undefined);
  const others =
    waiting.length === 0
      ? ''
      : ` "pvusb assignments" shows why ${waiting.length} more ${waiting.length === 1 ? 'is' : 'are'} not.`;
  const settled = `Guests have what the rules give them now.${others}\n`;
  if (changes.length === 0) return settled;
  if (!dryRun) return settled;
  return `${plans.map((plan) => formatPlan(plan)).join('')}Nothing was changed (--dry-run).\n`;
}
