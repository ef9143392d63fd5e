/** A command line that the daemon runs for a launcher. */
import type { Actor, Daemon } from '../daemon/index.js';
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
      const exitStatus = await runProgram({ ...terminal, err, host, onStep }, argv);
      if (exitStatus !== 0) throw new CommandFailedError(exitStatus, told.join(''));
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

  constructor(exitStatus: number, told: string) {
    super(told.trim().replace(/^pvusb: /, ''));
    this.exitStatus = exitStatus;
  }
}
