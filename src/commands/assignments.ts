/** Assignments and what `reconcile` did about them, as data. */
import type { Adjustment, Assignment, PvusbErrorCode, Reconciled } from '../pvusb/index.js';
import { formatRule, type Mode } from '../rules/index.js';
import type { Busid } from '../sysfs/index.js';
import { type ToldPlan, toldPlan } from './plans.js';
import { remedyOf } from './remedies.js';

/** An assignment: its rule as written, and its state. */
export interface AssignmentJson extends Omit<Assignment, 'rule' | 'want'> {
  readonly rule: string;
  readonly file: string;
  readonly line: number;
  readonly mode: Mode;
  readonly guest: string;
}

/** An assignment as data. */
export function assignmentJson({ rule, want: _, ...rest }: Assignment): AssignmentJson {
  const { file, line } = rule.place;
  return { rule: formatRule(rule), file, line, mode: rule.mode, guest: rule.guest, ...rest };
}

/** What `reconcile` did. */
export interface ReconciledJson {
  readonly changes: readonly Adjustment[];
  readonly plans: readonly ToldPlan[];
  readonly unmet: readonly {
    readonly domid: number;
    readonly busid: Busid;
    readonly code: PvusbErrorCode;
    readonly message: string;
    /** What to do next. */
    readonly remedy: string;
  }[];
  readonly assignments: readonly AssignmentJson[];
}

/** What `reconcile` did, as data. */
export function reconciledJson({ assignments, changes, plans, unmet }: Reconciled): ReconciledJson {
  return {
    changes,
    plans: plans.map(toldPlan),
    unmet: unmet.map(({ domid, device, error }) => ({
      domid,
      busid: device.busid,
      code: error.code,
      message: error.message,
      remedy: remedyOf(error),
    })),
    assignments: assignments.map(assignmentJson),
  };
}
