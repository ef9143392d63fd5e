/** `pvusb doctor`: shows what is half done or left over, and fixes it. */

import { diagnosisJson, isWrong } from '../../commands/index.js';
import {
  type Diagnosis,
  describeFinding,
  doctor,
  type Finding,
  formatPlan,
  type Plan,
} from '../../pvusb/index.js';
import { type CommonOptions, printJson, withHost } from '../context.js';
import type { Terminal } from '../terminal.js';

/** Options of the command. */
export interface DoctorCommandOptions extends CommonOptions {
  readonly fix?: boolean;
}

/** Exit status when something is still wrong at the end. */
const FINDINGS_STATUS = 1;

/** Runs the command; gives the exit status. */
export async function runDoctor(terminal: Terminal, options: DoctorCommandOptions): Promise<number> {
  return withHost(terminal, options, async (host, { signal, onStep }) => {
    const fix = (options.fix ?? false) && !options.dryRun;
    const onSettle = (settleMs: number): void => {
      const text = `Looking again in ${settleMs / 1000} s, in case another program is still at work ...\n`;
      if (!options.json) terminal.err(text);
    };
    const diagnosis = await doctor(host, { fix, signal, onStep, onSettle });
    const { remaining } = diagnosis;
    if (options.json) printJson(terminal, diagnosisJson(diagnosis));
    else terminal.out(formatDiagnosis(diagnosis, fix));
    return remaining.some(isWrong) ? FINDINGS_STATUS : 0;
  });
}

/** What was found, how it is fixed, and the result. */
export function formatDiagnosis(diagnosis: Diagnosis, fix: boolean): string {
  const { findings, plans } = diagnosis;
  const revived = formatRevived(diagnosis);
  if (findings.length === 0) return `Nothing is wrong.\n${revived}`;
  const told = findings.map((finding, i) => ({ finding, plan: plans[i]! }));
  const format = (one: Told): string => formatFinding(one, diagnosis);
  const wrong = told.filter(({ finding }) => isWrong(finding)).map(format);
  const notes = told.filter(({ finding }) => !isWrong(finding)).map(format);
  const found = [
    ...wrong,
    ...(wrong.length === 0 && !fix ? ['Nothing is wrong.\n'] : []),
    ...(notes.length === 0 ? [] : ['Notes:\n', ...notes]),
  ];
  return [...found, fix ? formatFixed(diagnosis) : HINT, revived].join('');
}

/** A finding, and how it is fixed. */
interface Told {
  readonly finding: Finding;
  readonly plan: Plan;
}

function formatFinding({ finding, plan }: Told, diagnosis: Diagnosis): string {
  const sentence = describeFinding(finding, diagnosis);
  if (plan.steps.length === 0) return `${sentence}\n`;
  return `${sentence}\nTo fix it: ${formatPlan(plan)}\n`;
}

function formatRevived({ revived }: Diagnosis): string {
  return revived.length === 0 ? '' : `The kernel found drivers for ${revived.join(', ')}, which had none.\n`;
}

const HINT = 'Nothing was changed. Fix it with "pvusb doctor --fix".\n';

function formatFixed(diagnosis: Diagnosis): string {
  const { remaining, failures } = diagnosis;
  const failed = failures.map((failure) => `Failed: ${failure}\n`);
  if (remaining.length === 0) return [...failed, 'Fixed; nothing is wrong now.\n'].join('');
  return [
    ...failed,
    ...remaining.map(
      (finding) =>
        `${isWrong(finding) ? 'Still wrong' : 'Still so'}: ${describeFinding(finding, diagnosis)}\n`,
    ),
  ].join('');
}
