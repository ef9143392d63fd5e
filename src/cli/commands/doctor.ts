/** `pvusb doctor`: shows what is half done or left over, and fixes it. */

import {
  diagnosisJson,
  isWrong,
  type ToldDiagnosis,
  type ToldFinding,
  toldDiagnosis,
} from '../../commands/index.js';
import { doctor } from '../../pvusb/index.js';
import { act } from '../act.js';
import { type CommonOptions, printJson } from '../context.js';
import type { Terminal } from '../terminal.js';

/** Options of the command. */
export interface DoctorCommandOptions extends CommonOptions {
  readonly fix?: boolean;
}

/** Exit status when something is still wrong at the end. */
const FINDINGS_STATUS = 1;

/** Runs the command; gives the exit status. */
export async function runDoctor(terminal: Terminal, options: DoctorCommandOptions): Promise<number> {
  const fix = (options.fix ?? false) && !options.dryRun;
  const tell = (text: string): void => {
    if (!options.json) terminal.err(text);
  };
  const diagnosis = await act<ToldDiagnosis>(terminal, options, {
    async here(host, { signal, onStep }) {
      const onSettle = (settleMs: number): void =>
        tell(`Looking again in ${settleMs / 1000} s, in case another program is still at work ...\n`);
      return toldDiagnosis(await doctor(host, { fix, signal, onStep, onSettle }));
    },
    async there(daemon, { operation }, call) {
      const seen = await daemon.doctor({ quick: true }, call);
      if (seen.findings.length > 0)
        tell('The daemon looks again, in case another program is still at work ...\n');
      else if (!fix) return seen;
      return fix ? (await daemon.doctorFix({ operation }, call)).result : daemon.doctor({}, call);
    },
  });
  if (options.json) printJson(terminal, diagnosisJson(diagnosis));
  else terminal.out(formatDiagnosis(diagnosis, fix));
  return diagnosis.remaining.some(isWrong) ? FINDINGS_STATUS : 0;
}

/** What was found, how it is fixed, and the result. */
function formatDiagnosis(diagnosis: ToldDiagnosis, fix: boolean): string {
  const { findings } = diagnosis;
  const revived = formatRevived(diagnosis);
  if (findings.length === 0) return `Nothing is wrong.\n${revived}`;
  const wrong = findings.filter(isWrong).map(formatFinding);
  const notes = findings.filter((finding) => !isWrong(finding)).map(formatFinding);
  const found = [
    ...wrong,
    ...(wrong.length === 0 && !fix ? ['Nothing is wrong.\n'] : []),
    ...(notes.length === 0 ? [] : ['Notes:\n', ...notes]),
  ];
  const canFix = findings.some((finding) => isWrong(finding) || isFixable(finding));
  return [...found, fix ? formatFixed(diagnosis) : canFix ? HINT : '', revived].join('');
}

/** A finding, and how it is fixed. */
function formatFinding({ sentence, plan }: ToldFinding): string {
  return isFixable({ plan }) ? `${sentence}\nTo fix it: ${plan!.text}\n` : `${sentence}\n`;
}

function isFixable({ plan }: Pick<ToldFinding, 'plan'>): boolean {
  return plan !== undefined && plan.steps.length > 0;
}

function formatRevived({ revived }: ToldDiagnosis): string {
  return revived.length === 0 ? '' : `The kernel found drivers for ${revived.join(', ')}, which had none.\n`;
}

const HINT = 'Nothing was changed. Fix it with "pvusb doctor --fix".\n';

function formatFixed({ remaining, failures }: ToldDiagnosis): string {
  const failed = failures.map((failure) => `Failed: ${failure}\n`);
  if (remaining.length === 0) return [...failed, 'Fixed; nothing is wrong now.\n'].join('');
  return [
    ...failed,
    ...remaining.map((finding) => `${isWrong(finding) ? 'Still wrong' : 'Still so'}: ${finding.sentence}\n`),
  ].join('');
}
