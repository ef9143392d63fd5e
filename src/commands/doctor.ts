/** What the doctor found and did, as data. */
import {
  type Diagnosis,
  describeFinding,
  type Finding,
  type Plan,
  type Severity,
  severityOf,
} from '../pvusb/index.js';
import type { Busid } from '../sysfs/index.js';
import { barePlan, type ToldPlan, toldPlan } from './plans.js';

/** A finding, how bad it is, and in words; of what it is made depends on the finding. */
export interface ToldFinding {
  readonly finding: Finding['finding'];
  readonly severity: Severity;
  readonly sentence: string;
  /** How it is repaired; absent where it was not planned. */
  readonly plan?: ToldPlan | undefined;
  readonly [more: string]: unknown;
}

/** What the doctor found and did. */
export interface ToldDiagnosis {
  readonly healthy: boolean;
  readonly findings: readonly ToldFinding[];
  readonly remaining: readonly ToldFinding[];
  /** Failures of repairs, a sentence each. */
  readonly failures: readonly string[];
  /** Devices that no guest has and no driver serves. */
  readonly idle: readonly Busid[];
  /** Those of them for which a driver was found. */
  readonly revived: readonly Busid[];
}

/** A diagnosis with sentences. */
export function toldDiagnosis(diagnosis: Diagnosis): ToldDiagnosis {
  const { findings, plans, remaining, failures, idle, revived } = diagnosis;
  const told = (finding: Finding, plan?: Plan): ToldFinding => ({
    ...finding,
    severity: severityOf(finding),
    sentence: describeFinding(finding, diagnosis),
    ...(plan ? { plan: toldPlan(plan) } : {}),
  });
  return {
    healthy: !findings.some((finding) => severityOf(finding) === 'wrong'),
    findings: findings.map((finding, at) => told(finding, plans[at])),
    remaining: remaining.map((finding) => told(finding)),
    failures,
    idle,
    revived,
  };
}

/** Whether someone lacks something, or will. */
export function isWrong({ severity }: Pick<ToldFinding, 'severity'>): boolean {
  return severity === 'wrong';
}

/** A diagnosis for programs: without the sentences, plans by themselves. */
export function diagnosisJson({ findings, remaining, ...rest }: ToldDiagnosis) {
  const rated = ({ sentence: _, plan: __, ...finding }: ToldFinding) => finding;
  return {
    ...rest,
    findings: findings.map(rated),
    plans: findings.flatMap(({ plan }) => (plan ? barePlan(plan) : [])),
    remaining: remaining.map(rated),
  };
}
