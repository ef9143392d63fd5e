/** How one of xl's USB commands runs: its arguments are checked, then the host is opened, then it acts. */

import { errorJson } from '../../commands/index.js';
import { type ExecuteOptions, formatPlan, type Host, isPvusbError, type Plan } from '../../pvusb/index.js';
import { printJson, withHost } from '../context.js';
import { quoteWord } from '../printable.js';
import { reportError, requireHere, usageError, withHelp } from '../report.js';
import type { Terminal } from '../terminal.js';

/** One command of xl's. */
export interface XlCommand {
  readonly usage: string;
  readonly summary: string;
  readonly minArgs: number;
  readonly maxArgs?: number;
  /** Checks the arguments before the host is touched, and gives what to do with the host. */
  readonly prepare: (args: readonly string[]) => (host: Host, options: RunOptions) => Promise<Answer>;
}

interface RunOptions extends ExecuteOptions {
  readonly dryRun: boolean;
}

/** What a command did: text for standard output, data for --json, and the plan for --dry-run. */
export interface Answer {
  readonly text?: string;
  readonly data: unknown;
  readonly plan?: Plan;
}

/** Runs a command under its name and gives its exit status. */
export async function runXl(
  terminal: Terminal,
  name: string,
  command: XlCommand,
  argv: readonly string[],
): Promise<number> {
  const parsed = parseArgv(argv);
  if (parsed.help) {
    terminal.out(usageOf(name, command));
    return 0;
  }
  const misuse = misuseOf(name, command, parsed);
  if (misuse !== undefined) {
    const error = usageError(misuse, `pvusb ${name}`);
    if (parsed.json) printJson(terminal, errorJson(error));
    terminal.err(`${misuse}\n\n${usageOf(name, command)}`);
    return error.exitStatus;
  }
  return perform(terminal, name, command, parsed);
}

/** What is wrong with a command line by itself; undefined when nothing is. */
function misuseOf(
  name: string,
  { minArgs, maxArgs = Number.POSITIVE_INFINITY }: XlCommand,
  { args, unknown }: Argv,
): string | undefined {
  if (unknown !== undefined) return `pvusb ${name}: unknown option ${quoteWord(unknown)}.`;
  const count = (number: number): string => `${number} argument${number === 1 ? '' : 's'}`;
  if (args.length < minArgs) return `'pvusb ${name}' requires at least ${count(minArgs)}.`;
  return args.length > maxArgs ? `'pvusb ${name}' takes ${count(maxArgs)}.` : undefined;
}

async function perform(terminal: Terminal, name: string, command: XlCommand, argv: Argv): Promise<number> {
  const { args, json, dryRun } = argv;
  try {
    requireHere(terminal, name);
    const act = command.prepare(args);
    const { text, data, plan } = await withHost(terminal, argv, (host, operation) =>
      act(host, { ...operation, dryRun }),
    );
    if (json) printJson(terminal, dryRun ? { plan, result: data } : data);
    else if (dryRun && plan) terminal.out(formatPlan(plan));
    else terminal.out(text ?? '');
    return 0;
  } catch (error) {
    const exitStatus = reportError(terminal, withHelp(error, `pvusb ${name}`), json);
    // xl has one exit status for every failure; a wrong command line and an interrupt are not among its failures.
    return isPvusbError(error, 'invalid-argument', 'aborted') ? exitStatus : 1;
  }
}

interface Argv {
  readonly args: readonly string[];
  readonly help: boolean;
  readonly json: boolean;
  readonly dryRun: boolean;
  readonly sysfsRoot: string | undefined;
  readonly unknown: string | undefined;
}

/** Options may stand anywhere, as getopt lets them; xl's own flags (-v, -t, -T, -f, -N) are accepted and ignored. */
function parseArgv(argv: readonly string[]): Argv {
  const args: string[] = [];
  let [help, json, dryRun] = [false, false, false];
  let unknown: string | undefined;
  let sysfsRoot: string | undefined;
  for (let k = 0; k < argv.length; k++) {
    const arg = argv[k]!;
    if (arg === '--') {
      args.push(...argv.slice(k + 1));
      break;
    }
    if (!arg.startsWith('-') || /^-\d/.test(arg)) args.push(arg);
    else if (arg === '-h' || arg === '--help') help = true;
    else if (arg === '--json') json = true;
    else if (arg === '--dry-run') dryRun = true;
    else if (arg === '--sysfs-root' && argv[k + 1] !== undefined) sysfsRoot = argv[++k];
    else if (arg.startsWith('--sysfs-root=')) sysfsRoot = arg.slice('--sysfs-root='.length);
    else if (!/^-[vtTfN]+$/.test(arg)) unknown ??= arg;
  }
  return { args, help, json, dryRun, sysfsRoot, unknown };
}

function usageOf(name: string, { usage, summary }: XlCommand): string {
  return `Usage: pvusb ${name} ${usage}\n\n${summary}\n\n--json prints data, --dry-run what would be done.\n`;
}
