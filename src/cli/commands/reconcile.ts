/** `pvusb reconcile`: guests get what the rules assign to them. */
import { barePlan, type ReconciledJson, reconciledJson } from '../../commands/index.js';
import { type Adjustment, reconcile } from '../../pvusb/index.js';
import { act, type Done } from '../act.js';
import { type CommonOptions, formatDryRun, printJson } from '../context.js';
import { tellFailures } from '../report.js';
import type { Terminal } from '../terminal.js';
import { describeAdjustment } from './apply.js';

/** Options of the command. */
export interface ReconcileCommandOptions extends CommonOptions {
  readonly move?: boolean;
}

type Reconciled = Done<Omit<ReconciledJson, 'plans'>>;

/**
 * Runs the command; gives the exit status. It fails with the first error if anything did not work, after everything else
 * was done.
 */
export async function runReconcile(
  terminal: Terminal,
  domain: string | undefined,
  options: ReconcileCommandOptions,
): Promise<number> {
  const onChange = (adjustment: Adjustment): void => {
    if (!options.json) terminal.out(`${describeAdjustment(adjustment)}\n`);
  };
  const request = { domain, moves: options.move };
  const reconciled = await act<Reconciled>(terminal, options, {
    async here(host, operation) {
      const { plans, ...result } = reconciledJson(
        await reconcile(host, { ...operation, ...request, onChange }),
      );
      return { plans, result };
    },
    async there(daemon, asked, call) {
      const outcome = await daemon.reconcile({ ...request, ...asked }, call);
      if (!asked.dryRun) outcome.result.changes.forEach(onChange);
      return outcome;
    },
  });
  const { plans, result } = reconciled;
  const { changes, unmet, assignments } = result;
  if (options.json) printJson(terminal, { changes, plans: plans.map(barePlan), unmet, assignments });
  else terminal.out(formatReconciled(reconciled, options));
  return tellFailures(terminal, unmet, options);
}

function formatReconciled({ plans, result }: Reconciled, { dryRun }: CommonOptions): string {
  const { assignments, changes, unmet } = result;
  if (dryRun && changes.length > 0) return formatDryRun(plans);
  const waiting = assignments.filter(
    ({ status, domid, busid }) =>
      status !== 'present' && !unmet.some((one) => one.domid === domid && one.busid === busid),
  );
  const others =
    waiting.length === 0
      ? ''
      : ` "pvusb assignments" shows why ${waiting.length} more ${waiting.length === 1 ? 'rule is' : 'rules are'} not fulfilled.`;
  return `Guests now have what the rules give them.${others}\n`;
}
