/** The built program as real processes. */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { HANG_MS, unlessHung } from '../support/hang.js';
import { projectRoot } from '../xenstored/fetch.js';
import type { Env, Run } from './stage.js';

/** The program: what `PVUSB_PROGRAM` names, a packaged one; otherwise the one that `npm test` builds before the tests run. */
const PROGRAM = process.env.PVUSB_PROGRAM ?? join(projectRoot(), 'dist', 'cli', 'main.cjs');

/** What starts it. */
const COMMAND = PROGRAM.endsWith('.cjs') ? [process.execPath, PROGRAM] : [PROGRAM];

/** The same for a shell. */
export const SHELL_COMMAND = COMMAND.map((word) => `"${word}"`).join(' ');

type End = [status: number | null, signal: NodeJS.Signals | null];

/** A running process. */
export class Program {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  stdout = '';
  stderr = '';
  readonly #ended: Promise<End>;

  constructor(command: string, args: readonly string[], env: Env = {}) {
    const own = { PATH: process.env.PATH, HOME: process.env.HOME, LC_ALL: 'C.UTF-8' };
    this.child = spawn(command, args, { env: { ...own, ...env } });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.child.stdin.on('error', () => undefined);
    this.#ended = once(this.child, 'close') as Promise<End>;
  }

  /** Resolves when standard output says `text`; rejects when the process ends without saying it. */
  says(text: string): Promise<void> {
    return this.#prints('stdout', text);
  }

  /** The same for standard error. */
  complains(text: string): Promise<void> {
    return this.#prints('stderr', text);
  }

  async #prints(stream: 'stdout' | 'stderr', text: string): Promise<void> {
    while (!this[stream].includes(text)) {
      const more = Promise.race([once(this.child[stream], 'data'), this.#ended.then(() => 'ended')]);
      const ended = await unlessHung(`waiting for ${JSON.stringify(text)}`, more);
      if (ended === 'ended' && !this[stream].includes(text)) {
        throw new Error(`it ended without saying ${JSON.stringify(text)}: ${this.stdout}${this.stderr}`);
      }
    }
  }

  /** Resolves when it has ended. */
  async ended(): Promise<Run> {
    const [status, signal] = await unlessHung('the process', this.#ended, () => this.child.kill('SIGKILL'));
    if (status === null) throw new Error(`ended by ${signal}: ${this.stdout}${this.stderr}`);
    return { status, stdout: this.stdout, stderr: this.stderr };
  }
}

const isInstalled = (program: string): boolean => spawnSync('which', [program]).status === 0;

/** Runs a command line on a terminal of its own: util-linux's, otherwise Python's. */
export function onTerminal(command: string, env: Env): Program {
  const python =
    'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(["sh", "-c", sys.argv[1]])))';
  const full = { ...env, TERM: 'xterm', SHELL: '/bin/sh' };
  if (isInstalled('script')) return new Program('script', ['-qec', command, '/dev/null'], full);
  return new Program('python3', ['-c', python, command], full);
}

/** Starts pvusb. */
export function startPvusb(argv: readonly string[], env: Env = {}): Program {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} does not exist: run "npm run build" first`);
  const [command, ...args] = [...COMMAND, ...argv];
  return new Program(command!, args, env);
}

/** Runs pvusb to its end. */
export function pvusb(argv: readonly string[], env: Env = {}): Promise<Run> {
  return startPvusb(argv, env).ended();
}

/** Runs a shell command to its end; in it `pvusb` is the program. */
export function shell(command: string, env: Env = {}): Promise<Run> {
  return startShell(`pvusb() { ${SHELL_COMMAND} "$@"; }\n${command}`, env).ended();
}

/** Starts a shell command. To bash a pipe of Node's looks like a connection from elsewhere: it would read ~/.bashrc. */
export function startShell(command: string, env: Env): Program {
  return new Program('bash', ['--norc', '-c', command], env);
}

/** Starts `pvusb sim` and waits until it is ready. */
export async function startSim(
  dir: string,
  ...options: readonly string[]
): Promise<{ readonly sim: Program; readonly env: Env }> {
  const sim = startPvusb(['sim', '--dir', dir, ...options]);
  await sim.says('ready\n');
  const exported = [...sim.stdout.matchAll(/^export (\w+)=(.*)$/gm)];
  return { sim, env: Object.fromEntries(exported.map(([, name, value]) => [name, value])) };
}

/** Resolves when `holds` does, asked again at each change in a folder. */
export async function until(folder: string, holds: () => boolean): Promise<void> {
  const watcher = watch(folder);
  const signal = AbortSignal.timeout(HANG_MS);
  try {
    while (!holds()) await once(watcher, 'change', { signal });
  } finally {
    watcher.close();
  }
}
