/** Starts and stops Debian's real xenstored daemons, each in a short-lived folder of its own, without Xen. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Suite } from '../../lab/debian/suites.js';
import { MessageType } from '../../src/xenstore/wire.js';
import { HANG_MS } from '../support/hang.js';
import { inSuite } from '../support/suites.js';
import { Bridge } from './bridge.js';
import { dumpStore } from './dump.js';
import { fetchXenstored, type Kit, toolCommand } from './fetch.js';
import { connectRaw, type Raw } from './raw.js';

/** Which daemon: the C one (`c`) or the OCaml one (`o`). */
export type DaemonKind = 'c' | 'o';

/** What a program printed, and its exit status. */
interface ToolResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Debian's own xenstore programs, pointed at a daemon. */
interface Tools {
  /** The environment that they need. */
  readonly env: NodeJS.ProcessEnv;
  /** The command of one. */
  command(program: string, args: readonly string[]): [string, string[]];
  /** Runs one to its end: `run('xenstore-ls', ['-fp', '/'])`. A failing program does not throw. */
  run(program: string, args: readonly string[], input?: string): Promise<ToolResult>;
}

/** `sun_path` of a Unix socket address has 108 bytes; some room is for the names within the folder. */
const FOLDER_MAX_BYTES = 80;
/** The event channel port by which the shim tells the daemon that a domain changed (VIRQ_DOM_EXC). */
const DOMAIN_CHANGED_PORT = 1;

const running = new Set<Daemon>();

/** The paths in a dump, parents first. */
function pathsOf(dump: string): string[] {
  return dump.split('\n').flatMap((line) => /^(\S+) = /.exec(line)?.[1] ?? []);
}

/** A running daemon. Every client of {@link socket} is domain 0. */
export class Daemon {
  readonly kind: DaemonKind;
  /** The daemon's folder: its socket, its log, the state of its domains. */
  readonly folder: string;
  /** The path of its Unix socket. */
  readonly socket: string;
  readonly tools: Tools;
  readonly #kit: Kit;
  readonly #process: ChildProcess;
  /** Plays all guests. */
  #bridge: Bridge | undefined;
  readonly #guests = new Set<number>();
  #control: Raw | undefined;
  /** The store as it is without guests. */
  #fresh = '';

  /** For {@link startDaemon} only. */
  constructor(kind: DaemonKind, folder: string, kit: Kit, child: ChildProcess) {
    this.kind = kind;
    this.folder = folder;
    this.socket = join(folder, 'socket');
    this.#kit = kit;
    this.#process = child;
    const env = { ...process.env, XENSTORED_RUNDIR: folder };
    this.tools = {
      env,
      command: (...given) => toolCommand(kit, ...given),
      run: (...given) => runTool(kit, env, ...given),
    };
  }

  /** The process id of the daemon. */
  get pid(): number {
    return this.#process.pid!;
  }

  /** Waits until the daemon answers. */
  async becomeReady(): Promise<void> {
    const deadline = Date.now() + HANG_MS;
    for (;;) {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null || Date.now() > deadline) {
        const log = await readFile(join(this.folder, 'log'), 'utf8');
        throw new Error(`the ${this.kind} xenstored did not start: ${log.trim() || 'it printed nothing'}`);
      }
      try {
        this.#control = await connectRaw(this.socket);
        break;
      } catch {
        await sleep(5);
      }
    }
    // What xen-init-dom0 does in a real domain 0.
    await this.request(MessageType.write, '/local/domain/0/name\0Domain-0');
    await this.request(MessageType.write, '/local/domain/0/domid\x000');
    this.#fresh = await this.dump();
  }

  /**
   * Makes it as good as new, which takes a tenth of the time of a start: ends the guests and removes what was written.
   * All clients must be closed. Rejects if something stays: then it can only be stopped.
   */
  async clear(): Promise<void> {
    for (const domid of this.#guests) await this.kill(domid);
    const kept = new Set(pathsOf(this.#fresh));
    for (const path of pathsOf(await this.dump())) {
      const parent = path.slice(0, path.lastIndexOf('/'));
      if (!kept.has(path) && (parent === '' || kept.has(parent)))
        await this.request(MessageType.rm, `${path}\0`);
    }
    const left = await this.dump();
    if (left !== this.#fresh) throw new Error(`the ${this.kind} xenstored could not be cleared:\n${left}`);
  }

  /** Introduces a domain as the toolstack does, and opens a Unix socket whose clients are that domain. */
  async guest(domid: number): Promise<{ readonly socket: string }> {
    await writeFile(join(this.folder, 'dom', String(domid)), '');
    await this.request(MessageType.introduce, `${domid}\0${domid}\x003\0`);
    await this.request(MessageType.mkdir, `/local/domain/${domid}\0`);
    await this.request(MessageType.setPermissions, `/local/domain/${domid}\0n${domid}\0`);
    this.#guests.add(domid);
    this.#bridge ??= new Bridge(this.#kit.bridge, this.folder);
    await this.#bridge.add(domid);
    return { socket: join(this.folder, `guest${domid}`) };
  }

  /** Makes a domain shut down: it still exists, and the daemon learns that it ended. */
  async shutDown(domid: number): Promise<void> {
    await this.#change(domid, 'shutdown');
  }

  /** Makes a domain die; returns when the daemon has forgotten it and removed its nodes. */
  async kill(domid: number): Promise<void> {
    await this.#change(domid, 'dying');
    const question = () => this.request(MessageType.isDomainIntroduced, `${domid}\0`);
    while ((await question()).startsWith('T')) await sleep(1);
    if (this.#guests.delete(domid)) await this.#bridge!.drop(domid);
    const leftovers = [`dom/${domid}`, `ring.${domid}`, `evt.${domid}`, `guest${domid}`];
    await Promise.all(leftovers.map((name) => rm(join(this.folder, name), { force: true })));
  }

  /** Sends one request as domain 0 and returns the reply's payload; an error reply is thrown. */
  async request(type: number, payload: string): Promise<string> {
    const reply = await this.#control!.call(type, payload);
    const text = reply.payload.toString('latin1');
    if (reply.type === MessageType.error)
      throw new Error(`xenstored refused request ${type} (${payload}): ${text}`);
    return text;
  }

  /** All nodes, as `xenstore-ls -fp /` prints them, sorted. */
  dump(): Promise<string> {
    return dumpStore(this.#control!);
  }

  /** Ends the daemon and its guests, and removes its folder. */
  async stop(): Promise<void> {
    const ended = this.#process.exitCode === null && this.#process.signalCode === null;
    const exit = ended ? once(this.#process, 'exit') : undefined;
    this.#process.ref();
    this.stopNow();
    await exit;
  }

  /** The same without waiting, for a process that is about to exit. */
  stopNow(): void {
    running.delete(this);
    this.#control?.close();
    this.#process.kill('SIGKILL');
    this.#bridge?.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #change(domid: number, state: string): Promise<void> {
    await writeFile(join(this.folder, 'dom', String(domid)), state);
    const port = Buffer.alloc(4);
    port.writeUInt32LE(DOMAIN_CHANGED_PORT);
    const events = await open(join(this.folder, 'evt.in'), 'r+');
    await events.write(port);
    await events.close();
  }
}

/** Starts a daemon that already has `/local/domain/0`; returns once it answers. */
export async function startDaemon(kind: DaemonKind, suite?: Suite): Promise<Daemon> {
  const kit = await fetchXenstored(suite);
  const base = tmpdir().length < FOLDER_MAX_BYTES ? tmpdir() : '/tmp';
  const folder = await mkdtemp(join(base, 'pvusb-xs-'));
  await mkdir(join(folder, 'dom'));
  await writeFile(join(folder, 'dom', '0'), '');
  const program = kind === 'c' ? kit.xenstored : kit.oxenstored;
  const args =
    kind === 'c' ? ['-N'] : ['--no-fork', '--no-access-log', '--config-file', await configure(kit, folder)];
  const env = {
    ...process.env,
    LD_PRELOAD: kit.shim,
    XENSTORED_RUNDIR: folder,
    XS_SHIM_DIR: folder,
    XS_SHIM_ROOT: kit.root,
  };
  const log = openSync(join(folder, 'log'), 'w');
  const child = spawn(...inSuite(kit, program, args), { env, stdio: ['ignore', log, log] });
  closeSync(log);
  child.unref();
  const daemon = new Daemon(kind, folder, kit, child);
  cleanUpAtExit();
  running.add(daemon);
  try {
    await daemon.becomeReady();
  } catch (error) {
    daemon.stopNow();
    throw error;
  }
  return daemon;
}

/** Writes oxenstored's configuration: Debian's own, with the files in the daemon's folder. */
async function configure(kit: Kit, folder: string): Promise<string> {
  const moved: Readonly<Record<string, string>> = {
    'pid-file': 'ox.pid',
    'xenstored-kva': 'ring.0',
    'xenstored-port': 'xsd_port',
    'xenstored-log-file': 'ox.log',
    'access-log-file': 'ox-access.log',
  };
  const shipped = (await readFile(kit.oxenstoredConfig, 'utf8')).split('\n');
  const kept = shipped.filter((line) => !Object.keys(moved).includes(line.split('=')[0]!.trim()));
  const own = Object.entries(moved).map(([name, file]) => `${name} = ${join(folder, file)}`);
  const path = join(folder, 'oxenstored.conf');
  await writeFile(path, `${[...kept, ...own].join('\n')}\n`);
  await writeFile(join(folder, 'xsd_port'), '2');
  await writeFile(join(folder, 'ring.0'), '');
  await truncate(join(folder, 'ring.0'), 4096);
  return path;
}

function runTool(
  kit: Kit,
  env: NodeJS.ProcessEnv,
  program: string,
  args: readonly string[],
  input?: string,
): Promise<ToolResult> {
  return new Promise((resolve) => {
    const child = execFile(...toolCommand(kit, program, args), { env }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ status, stdout, stderr: stderr || (status === -1 ? String(error) : '') });
    });
    // A program may end without having read its input: its status matters, not a broken pipe.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });
}

let cleansUp = false;

/** The daemons die with this process anyway (see shim.c); their folders would stay. */
function cleanUpAtExit(): void {
  if (cleansUp) return;
  cleansUp = true;
  const stopAll = () => {
    for (const daemon of running) daemon.stopNow();
  };
  process.on('exit', stopAll);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stopAll();
      process.kill(process.pid, signal);
    });
  }
}
