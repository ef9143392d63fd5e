/** How duties have something mended: by the doctor, who is told where to look. */
import { describeFinding } from '../diagnose/wording.js';
import type { Finding } from '../model/finding.js';
import { type Diagnosis, type DoctorOptions, doctor } from '../verbs/doctor.js';
import type { DutyContext, OwnOperation } from './duty.js';

/** Has what `which` selects mended, and tells what was and what could not be; in a dry run, what would be done. */
export async function mend(
  { host, options, carry, tell }: DutyContext,
  own: Omit<OwnOperation, 'what'>,
  which: Pick<DoctorOptions, 'only' | 'revivable' | 'settleMs'>,
): Promise<Diagnosis> {
  const diagnosis = await carry({ what: 'doctor', ...own }, (operation) =>
    doctor(host, { ...operation, fix: !options.dryRun, ...which }),
  );
  const { findings, plans, remaining, failures } = diagnosis;
  if (options.dryRun) {
    for (const plan of plans) tell({ event: 'planned', plan });
    return diagnosis;
  }
  const say = (finding: Finding): string => describeFinding(finding, diagnosis);
  const left = new Set(remaining.map(say));
  for (const what of findings.map(say)) if (!left.has(what)) tell({ event: 'mended', what });
  for (const why of failures) tell({ event: 'trouble', why });
  return diagnosis;
}
