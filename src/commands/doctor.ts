/** What the doctor found and did, as data. */
import { type Diagnosis, type Finding, type Severity, severityOf } from '../pvusb/index.js';

/** A finding, and how bad it is. */
type RatedFinding = Finding & { readonly severity: Severity };

/** A diagnosis as data. */
interface DiagnosisJson extends Omit<Diagnosis, 'domains'> {
  readonly healthy: boolean;
  readonly findings: readonly RatedFinding[];
  readonly remaining: readonly RatedFinding[];
}

/** Whether someone lacks something, or will. */
export function isWrong(finding: Finding): boolean {
  return severityOf(finding) === 'wrong';
}

/** A diagnosis as data. */
export function diagnosisJson(diagnosis: Diagnosis): DiagnosisJson {
  const { domains: _, ...shown } = diagnosis;
  const { findings, remaining } = diagnosis;
  const rated = (all: readonly Finding[]): RatedFinding[] =>
    all.map((finding) => ({ severity: severityOf(finding), ...finding }));
  return {
    healthy: !findings.some(isWrong),
    ...shown,
    findings: rated(findings),
    remaining: rated(remaining),
  };
}
