/** Programs of the build machine, run to their end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { LabError } from './error.js';

/** How a program is run. */
interface RunOptions {
  readonly cwd?: string | undefined;
  /** What it reads. */
  readonly input?: string | Buffer | undefined;
  /** With lower priority than everything else on the machine. */
  readonly nice?: boolean | undefined;
  /** If it takes longer it is ended, which is an error. */
  readonly withinMs?: number | undefined;
  /** Additions to this process's environment; messages are in English in any case. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** The result of a program. */
export interface Outcome {
  /** The exit status; 128 and the signal's number for one that was killed, as in a shell. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How many of the last lines of a failed program are shown. */
const LINES_SHOWN = 20;

/** Runs a program whatever its exit status is. */
export async function runToOutcome(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const child = start(program, args, options, 'pipe');
  const [stdout, stderr, status] = await Promise.all([
    bytesOf(child.stdout!),
    bytesOf(child.stderr!),
    end(child, program),
  ]);
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** Runs a program and returns what it prints. Rejects with its last lines when it fails. */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { status, stdout, stderr } = await runToOutcome(program, args, options);
  if (status !== 0) throw failure(program, args, status, stderr || stdout);
  return stdout;
}

/** Runs a program that talks to the user itself, and gives its exit status. */
export async function runInForeground(program: string, args: readonly string[]): Promise<number> {
  return end(start(program, args, {}, 'inherit'), program);
}

/** Runs two programs, the first's output being the second's input. It is fine if the first is cut off by its reader. */
export async function runPiped(
  from: readonly [string, ...string[]],
  to: readonly [string, ...string[]],
): Promise<Buffer> {
  const source = spawn(from[0], from.slice(1), { env: environment({}), stdio: ['ignore', 'pipe', 'pipe'] });
  const sink = spawn(to[0], to.slice(1), { env: environment({}), stdio: [source.stdout, 'pipe', 'pipe'] });
  // The sink has it now; an end left open here would keep the source from learning that nobody reads.
  source.stdout.destroy();
  const [stdout, complaint, sourceComplaint, status] = await Promise.all([
    bytesOf(sink.stdout!),
    bytesOf(sink.stderr!),
    bytesOf(source.stderr),
    end(sink, to[0]),
    end(source, from[0]),
  ]);
  if (status !== 0) throw failure(to[0], to.slice(1), status, `${sourceComplaint}${complaint}`);
  return stdout;
}

function start(
  program: string,
  args: readonly string[],
  { cwd, input, nice, env, withinMs }: RunOptions,
  output: 'pipe' | 'inherit',
): ChildProcess {
  const [command, rest] = nice ? ['nice', ['-n', '10', program, ...args]] : [program, args];
  const stdin = output === 'inherit' ? 'inherit' : input === undefined ? 'ignore' : 'pipe';
  const child = spawn(command, rest, {
    ...(cwd === undefined ? {} : { cwd }),
    ...(withinMs === undefined ? {} : { signal: AbortSignal.timeout(withinMs) }),
    env: environment(env),
    stdio: [stdin, output, output],
  });
  // A program that does not read all its input says so with its status.
  child.stdin?.on('error', () => undefined).end(input);
  return child;
}

function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  // depmod, mkfs and the like are there, but not in a user's path.
  const PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;
  return { ...process.env, PATH, LC_ALL: 'C', ...more };
}

async function bytesOf(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await finished(stream);
  return Buffer.concat(chunks);
}

async function end(child: ChildProcess, program: string): Promise<number> {
  try {
    const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return status ?? 128 + (signal === 'SIGKILL' ? 9 : 15);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT')
      throw new LabError(`${program} is not installed; "npm run lab:build" says what is needed`);
    if (code === 'ABORT_ERR') throw new LabError(`did not end in time: ${child.spawnargs.join(' ')}`);
    throw error;
  }
}

function failure(program: string, args: readonly string[], status: number, output: string): LabError {
  const last = output.trimEnd().split('\n').slice(-LINES_SHOWN).join('\n  ');
  return new LabError(`${[program, ...args].join(' ')}: exit status ${status}\n  ${last}`);
}
