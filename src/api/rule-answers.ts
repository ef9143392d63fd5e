/** What is answered about rules, requests and the audit. */
import { z } from 'zod';
import type {
  AddedRule,
  AssignmentJson,
  CheckedRules,
  Explanation,
  ReconciledJson,
  RemovedRules,
} from '../commands/index.js';
import { MODES, type Mode } from '../rules/rule.js';
import { addedRule, adjustment, changed } from './changes.js';
import { errorCode } from './host.js';
import type { AskRequest } from './model.js';
import { busid, count, named } from './parts.js';

const mode = z.enum(MODES as readonly [Mode, ...Mode[]]);
const assignment: z.ZodType<AssignmentJson> = named(
  'Assignment',
  'A rule that gives a device to a guest, and what has become of that.',
  z.object({
    rule: z.string(),
    file: z.string(),
    line: count,
    mode,
    guest: z.string(),
    status: z.enum(['present', 'pending', 'missing', 'conflicting', 'denied']),
    busid: busid.optional(),
    domid: count.optional(),
    why: z.string().optional(),
  }),
);
/** The answer of `assignments`. */
export const assignmentsAnswer: z.ZodType<readonly AssignmentJson[]> = z.array(assignment);

/** The answer of `reconcile`. */
export const reconcileAnswer = changed<Omit<ReconciledJson, 'plans'>>(
  'Reconciled',
  'What guests have got, what they have not, and what has become of the assignments.',
  z.object({
    changes: z.array(adjustment),
    unmet: z.array(
      z.object({
        domid: count,
        busid,
        code: errorCode,
        message: z.string(),
        remedy: z.string().describe('what to do next'),
      }),
    ),
    assignments: z.array(assignment),
  }),
);

const rulePlace = { file: z.string(), line: count, column: count };
const remark = z.object({ ...rulePlace, message: z.string(), doubt: z.string().optional() });
/** The answer of `check`. */
export const checkAnswer: z.ZodType<CheckedRules> = named(
  'CheckedRules',
  'How many rules there are, and what is wrong or doubtful about them.',
  z.object({ rules: count, problems: z.array(remark), doubts: z.array(remark) }),
);

/** The answer of `explain`. */
export const explainAnswer: z.ZodType<Explanation> = named(
  'Explanation',
  'Which rules apply to a device, and why.',
  z.object({
    device: busid,
    socket: z.string().optional(),
    verdict: z.enum(['assigned', 'denied', 'tied', 'ambiguous', 'none']),
    sentence: z.string(),
    problem: z.object({ code: errorCode, message: z.string() }).optional(),
    rules: z.array(z.object({ ...rulePlace, rule: z.string(), outcome: z.string() })),
  }),
);

/** The answer of `assign`. */
export const assignAnswer = changed<AddedRule>('Assigned', 'The rule that was made.', addedRule);
/** The answer of `unassign`. */
export const unassignAnswer = changed<RemovedRules>(
  'Unassigned',
  'The rules that were removed; `rules` names them in a dry run too.',
  z.object({ removed: z.array(z.string()), rules: z.array(z.string()) }),
);

/** Rules converted from another program's file. */
export interface ImportAnswer {
  /** A file of rules. Empty if there are problems. */
  readonly text: string;
  /** Whether everything could be expressed. */
  readonly complete: boolean;
  readonly problems: readonly ImportRemark[];
  readonly warnings: readonly ImportRemark[];
  readonly reports: readonly (ImportRemark & { readonly isExpressed: boolean })[];
}
/** A remark about a line of another program's file. */
export interface ImportRemark {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}
const importRemark = { ...rulePlace, message: z.string() };
/** The answer of `import`. */
export const importAnswer: z.ZodType<ImportAnswer> = named(
  'Imported',
  "The rules that another program's file became.",
  z.object({
    text: z.string(),
    complete: z.boolean(),
    problems: z.array(z.object(importRemark)),
    warnings: z.array(z.object(importRemark)),
    reports: z.array(z.object({ ...importRemark, isExpressed: z.boolean() })),
  }),
);

/** A device waiting for approval. */
export const askRequest: z.ZodType<AskRequest> = named(
  'AskRequest',
  'A device that a rule of mode "ask" would give to a guest.',
  z.object({
    id: z.string(),
    busid: z.string(),
    domid: count,
    guest: z.string().optional(),
    rule: z.string(),
  }),
);
/** The answer of `requests`. */
export const requestsAnswer: z.ZodType<readonly AskRequest[]> = z.array(askRequest);

/** What was said about a request. */
export const answerAnswer = changed<{ readonly id: string; readonly granted: boolean }>(
  'Answered',
  'What was said about a request.',
  z.object({ id: z.string(), granted: z.boolean() }),
);

/** An entry of the audit log, as written. */
export type AuditEntry = Readonly<Record<string, unknown>>;
/** Entries of the audit log. */
export interface AuditAnswer {
  readonly entries: readonly AuditEntry[];
}
/** The answer of `audit`. */
export const auditAnswer: z.ZodType<AuditAnswer> = named(
  'Audit',
  'Entries of the audit, the oldest first.',
  z.object({ entries: z.array(z.record(z.string(), z.unknown())) }),
);
