/** `pvusb doctor`: shows what is half done or left over, and mends it. */
import { type Diagnosis, describeFinding, doctor, formatPlan } from '../../pvusb/index.js';
import { type CommonOptions, printJson, withHost } from '../context.js';
import type { Terminal } from '../terminal.js';

/** Options of the command. */
export interface DoctorCommandOptions extends CommonOptions {
  readonly fix?: boolean;
}

/** Exit status when something is wrong and stays so. */
const FINDINGS_STATUS = 1;

/** Runs the command; gives the exit status. */
export async function runDoctor(terminal: Terminal, options: DoctorCommandOptions): Promise<number> {
  return withHost(terminal, options, async (host, { signal, onStep }) => {
    const fix = (options.fix ?? false) && !options.dryRun;
    const onSettle = (settleMs: number): void => {
      const text = `Looking again in ${settleMs / 1000} s, in case somebody is at work ...\n`;
      if (!options.json) terminal.err(text);
    };
    const diagnosis = await doctor(host, { fix, signal, onStep, onSettle });
    if (options.json) printJson(terminal, { healthy: diagnosis.findings.length === 0, ...diagnosis });
    else terminal.out(formatDiagnosis(diagnosis, fix));
    return diagnosis.remaining.length === 0 ? 0 : FINDINGS_STATUS;
  });
}

/** What was found, how it is mended, and what came of it. */
export function formatDiagnosis(diagnosis: Diagnosis, fix: boolean): string {
  const { findings, plans, remaining, failures } = diagnosis;
  const idle = formatIdle(diagnosis, fix);
  if (findings.length === 0) return `Nothing is wrong.\n${idle}`;
  const found = findings.map(
    (finding, i) => `${describeFinding(finding)}\nTo mend it: ${formatPlan(plans[i]!)}\n`,
  );
  return [...found, fix ? formatMended(remaining.map(describeFinding), failures) : HINT, idle].join('');
}

/** What may be as it should: no driver may exist for a device. */
function formatIdle({ idle, revived }: Diagnosis, fix: boolean): string {
  if (idle.length === 0) return '';
  const all = `${idle.join(', ')} ${idle.length === 1 ? 'has' : 'have'} no driver, and no guest.`;
  if (!fix) return `${all} Perhaps there is none; --fix asks the kernel.\n`;
  return revived.length === 0
    ? `${all} The kernel knows none.\n`
    : `${all} The kernel found drivers for ${revived.join(', ')}.\n`;
}

const HINT = 'Nothing was changed. Mend it with "pvusb doctor --fix".\n';

function formatMended(remaining: readonly string[], failures: readonly string[]): string {
  const failed = failures.map((failure) => `Failed: ${failure}\n`);
  if (remaining.length === 0) return [...failed, 'Mended; nothing is wrong now.\n'].join('');
  return [...failed, ...remaining.map((sentence) => `Still wrong: ${sentence}\n`)].join('');
}
