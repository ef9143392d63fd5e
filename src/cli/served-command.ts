/** A command line that the daemon runs for a launcher. */
import type { Actor, Daemon } from '../daemon/index.js';
import type { PvusbError } from '../pvusb/index.js';
import { reportError } from './report.js';
import type { Terminal } from './terminal.js';

/** The commands that only look. */
const READING: ReadonlySet<string> = new Set(['list', 'devices', 'usb-list']);

/** Runs a command line on a terminal, and gives its exit status. */
export type RunProgram = (terminal: Terminal, argv: readonly string[]) => Promise<number>;

/** Runs it, and gives its exit status. What changes something is audited, as it was typed. */
export async function runServed(
  runProgram: RunProgram,
  daemon: Daemon,
  terminal: Terminal,
  argv: readonly string[],
  by: Actor,
): Promise<number> {
  const [what = ''] = argv;
  const told: string[] = [];
  const err = (text: string): void => {
    told.push(text);
    terminal.err(text);
  };
  const { signal } = terminal;
  const dryRun = argv.includes('--dry-run');
  try {
    if (READING.has(what)) return await daemon.reading((host) => runProgram({ ...terminal, host }, argv));
    const asked = { what, by, request: { argv }, signal, dryRun };
    await daemon.operate(asked, async (host, { onStep }) => {
      let failure: PvusbError | undefined;
      const onError = (error: PvusbError): void => {
        failure ??= error;
      };
      const exitStatus = await runProgram({ ...terminal, err, host, onStep, onError }, argv);
      if (exitStatus !== 0) throw new CommandFailedError(exitStatus, told.join(''), failure);
    });
    return 0;
  } catch (error) {
    if (error instanceof CommandFailedError) return error.exitStatus;
    return reportError(terminal, error, argv.includes('--json'));
  }
}

/** A command that has failed and said so. */
class CommandFailedError extends Error {
  override readonly name = 'CommandFailedError';
  readonly exitStatus: number;

  /** Its cause is the error that was printed, if there was one. */
  constructor(exitStatus: number, told: string, cause: PvusbError | undefined) {
    super(told.trim().replace(/^pvusb: /, ''), { cause });
    this.exitStatus = exitStatus;
  }
}
