/** A simulated host that is published as files and a socket, and pvusb run on it in this process. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { simulatedEnvironment } from '../../src/cli/commands/sim.js';
import { runProgram } from '../../src/cli/program.js';
import type { Terminal } from '../../src/cli/terminal.js';
import { isXlCommand, runXlCommand } from '../../src/cli/xl/commands.js';
import { type Host, type OpenHost, openHost } from '../../src/pvusb/index.js';
import { Monitor, type MonitorClient } from '../../src/pvusb/watch/monitor.js';
import {
  labWorld,
  publishQmp,
  publishStore,
  publishSysfs,
  publishUses,
  SimHost,
  type World,
} from '../../src/sim/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';

/** A command's environment. */
export type Env = Readonly<Record<string, string | undefined>>;

/** What a command did. */
export interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a terminal is like, besides where it prints. */
type Likeness = Partial<Omit<Terminal, 'out' | 'err'>>;

/** The defaults of a terminal: nobody reads it, and nobody interrupts. */
export function terminalLike(given: Partial<Terminal>): Terminal {
  return {
    out: () => undefined,
    err: () => undefined,
    showsProgress: false,
    columns: undefined,
    errColumns: undefined,
    env: {},
    signal: new AbortController().signal,
    ...given,
  };
}

/** Runs a command line in this process, as `main.ts` does. */
export async function runPvusb(argv: readonly string[], likeness: Likeness = {}): Promise<Run> {
  let [stdout, stderr] = ['', ''];
  const terminal = terminalLike({
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
    ...likeness,
  });
  const [command, ...rest] = argv;
  const status =
    command !== undefined && isXlCommand(command)
      ? await runXlCommand(terminal, command, rest)
      : await runProgram(terminal, argv);
  return { status, stdout, stderr };
}

/** A host that is followed, as the daemon's commands have it, but by nobody who does anything by himself. */
class FollowedHost implements AsyncDisposable {
  readonly #env: Env;
  readonly #abort = new AbortController();
  #opened: OpenHost | undefined;
  #host: Promise<Host> | undefined;
  #end: Promise<void> = Promise.resolve();

  constructor(env: Env) {
    this.#env = env;
  }

  /** Opened when first asked for: a host may not be there yet. */
  host(): Promise<Host> {
    this.#host ??= this.#open();
    return this.#host;
  }

  async #open(): Promise<Host> {
    const { signal } = this.#abort;
    const opened = await openHost({ environment: this.#env, signal });
    this.#opened = opened;
    return new Promise((resolve, reject) => {
      const monitor = new Monitor(opened, { signal, details: true });
      const client: MonitorClient = {
        dueMs: () => undefined,
        see: async () => resolve({ ...opened, latest: (call) => monitor.latest(call) }),
        trouble: () => undefined,
      };
      this.#end = monitor.run(client).catch((error: unknown) => {
        if (!signal.aborted) reject(error);
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new Error('over'));
    await this.#end;
    await this.#opened?.close();
  }
}

/** Whether the daemon serves a command: those that the launcher hands over. */
function isServed([command = '']: readonly string[]): boolean {
  return isXlCommand(command) || ['list', 'attach', 'detach', 'devices'].includes(command);
}

/** A published host. */
export interface Stage extends AsyncDisposable {
  readonly sim: SimHost;
  /** The folder of `socket` and `sys`. */
  readonly dir: string;
  /** What points a command to the host. */
  readonly env: Env;
  /** Runs a command on it. */
  run(...argv: readonly string[]): Promise<Run>;
  /** Runs one that must succeed without a word on standard error, and gives its output. */
  done(...argv: readonly string[]): Promise<string>;
  /** Everything on the host that a command can change, as text. */
  look(): Promise<string>;
}

/** Publishes a world; by default the recorded one. */
export async function openStage(world: World = labWorld()): Promise<Stage> {
  const dir = mkdtempSync(join(tmpdir(), 'pvusb-cli-'));
  const sim = await SimHost.create(world);
  const parts = [
    sim,
    await publishSysfs(sim.usb, dir),
    publishUses(sim.usb, dir),
    await publishStore(sim.store, join(dir, 'socket')),
  ];
  for (const [domid, qemu] of sim.qemus) parts.push(await publishQmp(qemu, join(dir, `qmp-libxl-${domid}`)));
  const env = simulatedEnvironment(dir);
  const followed = process.env.PVUSB_TEST_FOLLOWED ? new FollowedHost(env) : undefined;
  const run = async (...argv: readonly string[]) =>
    runPvusb(argv, { env, host: isServed(argv) ? await followed?.host() : undefined });
  return {
    sim,
    dir,
    env,
    run,
    async done(...argv) {
      const { status, stdout, stderr } = await run(...argv);
      if (status !== 0 || stderr !== '') throw new Error(`pvusb ${argv.join(' ')}: ${status}\n${stderr}`);
      return stdout;
    },
    async look() {
      await sim.idle();
      const drivers = sim.usb.devices.flatMap(({ interfaces }) =>
        interfaces.map(({ id, driver }) => `${id} ${driver ?? '-'}`),
      );
      return [sim.store.dump(), ...drivers].join('\n');
    },
    async [Symbol.asyncDispose]() {
      await followed?.[Symbol.asyncDispose]();
      for (const part of parts.reverse()) await part.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A published world whose guests libxl has built: their configurations are saved, which prepare waits for. */
export async function openMade(world: World): Promise<Stage> {
  const stage = await openStage(world);
  const root = join(stage.dir, 'userdata');
  mkdirSync(root);
  for (const { domid, name, type, uuid } of world.domains) {
    const text = JSON.stringify({ c_info: { type, name, uuid } }, null, 4);
    writeFileSync(join(root, `userdata-d.${domid}.${uuid}.libxl-json`), `${text}\n\0`, { mode: 0o600 });
  }
  return stage;
}

/** The lines in which two looks at a host differ. */
export function differences(before: string, after: string): string[] {
  const [old, fresh] = [new Set(before.split('\n')), new Set(after.split('\n'))];
  const gone = [...old].filter((line) => !fresh.has(line)).map((line) => `- ${line}`);
  return [...gone, ...[...fresh].filter((line) => !old.has(line)).map((line) => `+ ${line}`)];
}

/** An error as people see it: one line with a sentence, one with the remedy and the code. */
export const ERROR_TEXT = /^pvusb: \S[^\n]*[.]\n(?:[A-Z][^\n]*\.\n)*[A-Z][^\n]*\. \(([a-z-]+)\)\n$/;

/** Says that port 2 of u1's first controller has a virtual device, as an attach to pvusb's own backend does. */
export async function addVirtual({ sim }: Stage, name: string): Promise<void> {
  const client = new XenstoreClient(sim.store.connect(0));
  await client.write('/libxl/1/device/vusb/0/virtual/2', name);
  client.close();
}
