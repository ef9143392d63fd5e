/** The machine's life: on, waiting until dom0 is up, off. */
import { readFile, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { systemClock } from '../../src/async/index.js';
import { isQmpError } from '../../src/qmp/index.js';
import { LabError } from '../base/error.js';
import { run } from '../base/process.js';
import type { MachineFiles } from './machine.js';
import { quit } from './monitor.js';

/** Booting takes 40 seconds, and several times that when other programs use the CPUs. */
const BOOT_WITHIN_MS = 400_000;

/** The last line of `etc/lab/rc`, for success or failure. */
const UP = /^LAB: [\d.]+ (usb|failed)/m;

/** Starts QEMU; it keeps running when this process ends. */
export async function powerOn(args: readonly string[]): Promise<void> {
  await run('qemu-system-x86_64', args);
}

/** Waits until dom0's console says that it is up. */
export async function waitForBoot(files: MachineFiles): Promise<void> {
  const socket = connect(files.consoleSocket);
  try {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(notUp(files, 'did not come up in time')), BOOT_WITHIN_MS);
      const look = async (): Promise<void> => {
        // The file has everything, including what was printed before we were connected.
        const [, end] = UP.exec(await readFile(files.console, 'utf8')) ?? [];
        if (end === undefined) return;
        clearTimeout(late);
        if (end === 'usb') resolve();
        else reject(notUp(files, 'did not come up'));
      };
      const end = (): void => {
        clearTimeout(late);
        reject(notUp(files, 'has ended'));
      };
      socket.on('connect', () => look().catch(reject));
      socket.on('data', (chunk) => {
        if (chunk.includes('\n')) look().catch(reject);
      });
      socket.on('error', end);
      socket.on('end', end);
    });
  } finally {
    socket.destroy();
  }
}

/** Ends QEMU and waits until it is gone. */
export async function powerOff(files: MachineFiles): Promise<void> {
  const pid = await runningPid(files);
  if (pid === undefined) return;
  try {
    await quit(files.qmpSocket);
  } catch (error) {
    // It may be gone before it has answered.
    if (!isQmpError(error, 'connection-lost') && (await runningPid(files)) !== undefined) process.kill(pid);
  }
  // It is not a child of this process: nothing reports its end.
  while ((await runningPid(files)) !== undefined) await systemClock.sleep(50);
  await rm(files.pid, { force: true });
}

/** The process id of the QEMU that runs with these files. */
export async function runningPid(files: MachineFiles): Promise<number | undefined> {
  try {
    const pid = Number(await readFile(files.pid, 'utf8'));
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    return command.includes(files.pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** A TCP port that is currently unused. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject(address)));
    });
  });
}

function notUp(files: MachineFiles, what: string): LabError {
  return new LabError(`the machine ${what}; its output is in ${files.console}`);
}
