/** `pvusb doctor`: shows what is half done or left over, and fixes it. */
import { type Diagnosis, describeFinding, doctor, formatPlan } from '../../pvusb/index.js';
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
    if (options.json) printJson(terminal, { healthy: diagnosis.findings.length === 0, ...diagnosis });
    else terminal.out(formatDiagnosis(diagnosis, fix));
    return diagnosis.remaining.length === 0 ? 0 : FINDINGS_STATUS;
  });
}

/** What was found, how it is fixed, and the result. */
export function formatDiagnosis(diagnosis: Diagnosis, fix: boolean): string {
  const { findings, plans, remaining, failures } = diagnosis;
  const idle = formatIdle(diagnosis, fix);
  if (findings.length === 0) return `Nothing is wrong.\n${idle}`;
  const found = findings.map(
    (finding, i) => `${describeFinding(finding)}\nTo fix it: ${formatPlan(plans[i]!)}\n`,
  );
  return [...found, fix ? formatFixed(remaining.map(describeFinding), failures) : HINT, idle].join('');
}

/** May be as it should be: a device may have no driver at all. */
function formatIdle({ idle, revived }: Diagnosis, fix: boolean): string {
  if (idle.length === 0) return '';
  const all = `${idle.join(', ')} ${idle.length === 1 ? 'is' : 'are'} unused: no host driver, no guest.`;
  if (!fix) return `${all}\n`;
  return revived.length === 0
    ? `${all} The kernel has no driver for ${idle.length === 1 ? 'it' : 'them'}.\n`
    : `${all} The kernel found drivers for ${revived.join(', ')}.\n`;
}

const HINT = 'Nothing was changed. Fix it with "pvusb doctor --fix".\n';

function formatFixed(remaining: readonly string[], failures: readonly string[]): string {
  const failed = failures.map((failure) => `Failed: ${failure}\n`);
  if (remaining.length === 0) return [...failed, 'Fixed; nothing is wrong now.\n'].join('');
  return [...failed, ...remaining.map((sentence) => `Still wrong: ${sentence}\n`)].join('');
}
