/** The programs to compare with: one using libxenstore, one using pyxs. Each is told what to do line by line. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { fetchXenstored, projectRoot } from '../test/xenstored/fetch.js';

/** What a peer did for one line. */
interface Measured {
  readonly us: number;
  readonly rest: readonly number[];
}

/** A running peer. It measures itself, so that the pipe to it costs nothing. */
export class Peer implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** Sends one line and waits for the answer: numbers, the first of them microseconds. */
  async ask(line: string): Promise<Measured> {
    this.#child.stdin?.write(`${line}\n`);
    const answer = await this.#answers.next();
    if (answer.done) throw new Error(`the peer ended at "${line}"`);
    const [us = Number.NaN, ...rest] = answer.value.split(' ').map(Number);
    if (Number.isNaN(us)) throw new Error(`the peer answered "${answer.value}"`);
    return { us, rest };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    this.#child.kill();
  }
}

/** Compiles peer.c against Debian's libxenstore; returns the program's path. */
export async function compilePeer(): Promise<string> {
  const kit = await fetchXenstored();
  const folder = join(projectRoot(), 'build', 'bench');
  const program = join(folder, 'peer');
  await mkdir(folder, { recursive: true });
  await promisify(execFile)('gcc', [
    ...['-O2', '-Wall', '-Wextra', '-I', join(kit.root, 'usr/include'), '-o', program],
    join(projectRoot(), 'bench/native/peer.c'),
    ...['-L', kit.libraries, `-Wl,-rpath-link=${kit.libraries}`, '-lxenstore'],
  ]);
  return program;
}

/** Starts the peer that uses libxenstore. */
export async function startC(program: string, socket: string): Promise<Peer> {
  const kit = await fetchXenstored();
  return new Peer(program, [], {
    ...process.env,
    LD_LIBRARY_PATH: kit.libraries,
    XENSTORED_PATH: socket,
  });
}

/** Starts the peer that uses pyxs. */
export async function startPyxs(socket: string): Promise<Peer> {
  const kit = await fetchXenstored();
  const env = {
    ...process.env,
    PYTHONPATH: kit.python,
    PYTHONDONTWRITEBYTECODE: '1',
    XENSTORED_PATH: socket,
  };
  return new Peer('python3', [join(projectRoot(), 'bench/native/peer.py')], env);
}

/** Starts one of the bench's own modules as a process of its own. */
export function startModule(name: string, socket: string): Peer {
  const env = { ...process.env, XENSTORED_PATH: socket };
  return new Peer(process.execPath, [join(import.meta.dirname, `${name}.js`)], env);
}
