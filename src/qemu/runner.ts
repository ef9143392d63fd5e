/** Starts and ends QEMUs: processes that outlive this one, each in a unit of its own where there is systemd. */
import { access, constants, mkdir, open, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Clock } from '../async/index.js';
import { openProcesses } from '../hostuse/index.js';
import { isQemuOf, QEMU_ENVIRONMENT, type QemuGuest, qemuArguments } from './command-line.js';

/** Where things are. */
interface Places {
  /** Monitors: `/var/run/xen`. */
  readonly runRoot: string;
  /** Where xl's QEMUs write their logs, too. */
  readonly logRoot: string;
  /** Exists where systemd is running (sd_booted(3)). */
  readonly systemdRoot: string;
  /** QEMUs, the first that exists is taken. */
  readonly programs: readonly string[];
}

/** Where distributions and Xen itself have the QEMU that libxl starts. */
const PROGRAMS = [
  '/usr/libexec/xen-qemu-system-i386',
  '/usr/lib/xen/bin/qemu-system-i386',
  '/usr/libexec/xen/bin/qemu-system-i386',
  '/usr/lib64/xen/bin/qemu-system-i386',
  '/usr/local/lib/xen/bin/qemu-system-i386',
  '/usr/local/libexec/xen/bin/qemu-system-i386',
  '/usr/bin/qemu-system-i386',
  '/usr/bin/qemu-system-x86_64',
] as const;

const USUAL: Places = {
  runRoot: '/var/run/xen',
  logRoot: '/var/log/xen',
  systemdRoot: '/run/systemd/system',
  programs: PROGRAMS,
};

/** How long a QEMU may take to end before it is killed, and the pause between two looks. */
const END_WITHIN_MS = 10_000;
const PAUSE_MS = 50;

/** Names that become names of files as they are. */
const PLAIN_NAME = /^[\w+-][\w.+-]{0,100}$/;

/** Loaded when it is needed: most commands start no QEMU. */
const processes = () => import('node:child_process');

/** What starts and ends QEMUs. A process is told by its pid and when it began, `1234 5678`. */
export interface QemuRunner {
  /** The process; it may end at once. Throws when there is none to start, or it cannot be started. */
  start(guest: QemuGuest): Promise<string>;
  isAlive(process: string): Promise<boolean>;
  /** The QEMUs of a guest without a device model in xenstore: those of a start that was killed. */
  find(domid: number): Promise<string[]>;
  /** Ends it, and removes what it leaves. */
  end(process: string, domid: number): Promise<void>;
  /** The file that a QEMU writes its messages to. */
  logOf(guest: Pick<QemuGuest, 'domid' | 'name'>): string;
}

/** The QEMUs of this host. */
export function openQemuRunner(clock: Clock, places: Partial<Places> = {}): QemuRunner {
  const { runRoot, logRoot, systemdRoot, programs } = { ...USUAL, ...places };
  const processes = openProcesses({ sysfsRoot: '/sys', procRoot: '/proc', devRoot: '/dev' });
  const logOf: QemuRunner['logOf'] = ({ domid, name }) =>
    `${logRoot}/qemu-dm-${PLAIN_NAME.test(name) ? name : domid}.log`;
  return {
    async start(guest) {
      const program = await firstOf(programs);
      await Promise.all([runRoot, logRoot].map((folder) => mkdir(folder, { recursive: true })));
      const command = [program, ...qemuArguments(guest, runRoot)];
      const log = logOf(guest);
      const pid = (await exists(systemdRoot))
        ? await startUnit(guest.domid, command, log)
        : await startPlain(command, log);
      const process = await processes.announcementOf(pid);
      if (process === undefined) throw new Error(`${program} has ended at once: see ${log}`);
      return process;
    },
    isAlive: processes.isAlive,
    find: (domid) => processes.find((words) => isQemuOf(domid, runRoot, words)),
    async end(untrustedProcess, domid) {
      const pid = Number(untrustedProcess.split(' ')[0]);
      const isAlive = (): Promise<boolean> => processes.isAlive(untrustedProcess);
      const endMs = clock.nowMs() + END_WITHIN_MS;
      // What libxl sends.
      if (await isAlive()) signal(pid, 'SIGHUP');
      while ((await isAlive()) && clock.nowMs() < endMs) await clock.sleep(PAUSE_MS);
      if (await isAlive()) signal(pid, 'SIGKILL');
      const sockets = ['qmp-libxl', 'qmp-libxenstat'].map((name) => `${runRoot}/${name}-${domid}`);
      await Promise.all(sockets.map((socket) => rm(socket, { force: true })));
    },
    logOf,
  };
}

/** Somebody else may have ended it by now. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function firstOf(programs: readonly string[]): Promise<string> {
  for (const program of programs) if (await exists(program, constants.X_OK)) return program;
  throw new Error(`no QEMU for Xen is installed (${programs[0]} and the like)`);
}

async function exists(path: string, mode: number = constants.F_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

/** In a session of its own: it ends neither with this process nor with its terminal. */
async function startPlain(command: readonly string[], log: string): Promise<number> {
  const environment = Object.entries(QEMU_ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  const file = await open(log, 'a', 0o644);
  try {
    const { spawn } = await processes();
    const child = spawn('env', [...environment, ...command], {
      detached: true,
      stdio: ['ignore', file.fd, file.fd],
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid!));
      child.once('error', reject);
    });
    child.unref();
    return pid;
  } finally {
    await file.close();
  }
}

/** In a unit of its own: it does not end with the daemon that a command was handed to. */
async function startUnit(domid: number, command: readonly string[], log: string): Promise<number> {
  const unit = `pvusb-qemu-${domid}.service`;
  const environment = Object.entries(QEMU_ENVIRONMENT).map(([name, value]) => `--setenv=${name}=${value}`);
  const run = promisify((await processes()).execFile);
  await run('systemd-run', [
    ...['--quiet', '--collect', `--unit=${unit}`, '--service-type=exec'],
    `--description=QEMU of Xen domain ${domid}, for its USB devices`,
    ...[`--property=StandardOutput=append:${log}`, `--property=StandardError=append:${log}`],
    // When the host shuts down, guests let go of their devices before xenstored ends.
    ...['--property=After=xenstored.service', ...environment, '--'],
    // systemd would put the values of its own variables there: `$HOME` in the name of a guest.
    ...command.map((word) => word.replaceAll('$', '$$$$')),
  ]);
  const { stdout } = await run('systemctl', ['show', '--property=MainPID', '--value', unit]);
  return Number(stdout);
}
