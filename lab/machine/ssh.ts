/** Commands in dom0, over one persistent ssh connection. */
import { rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { LabError } from '../base/error.js';
import { keyPath } from '../base/paths.js';
import { type Outcome, runInForeground, runPiped, runToOutcome } from '../base/process.js';

/** ssh's own exit status when it could not connect. */
const SSH_FAILED = 255;

/** No command takes this long: one that does is waiting for something that never comes. */
const COMMAND_WITHIN_MS = 600_000;

/** A way into dom0. */
export class Ssh {
  readonly #port: number;
  readonly #socket: string;

  /** For the dom0 whose ssh is on this port; `socket` is the path of the shared connection. */
  constructor(port: number, socket: string) {
    this.#port = port;
    this.#socket = socket;
  }

  /**
   * Runs a shell command, whatever its exit status is.
   *
   * @throws {LabError} when dom0 cannot be reached, or the command does not end in ten minutes
   */
  async run(command: string, input?: string | Buffer): Promise<Outcome> {
    const outcome = await runToOutcome('ssh', this.#arguments(command), {
      input,
      withinMs: COMMAND_WITHIN_MS,
    });
    if (outcome.status === SSH_FAILED) throw new LabError(`dom0 cannot be reached: ${outcome.stderr.trim()}`);
    return outcome;
  }

  /** Runs a shell command on this process's terminal, and returns its exit status. */
  async runInForeground(command: string): Promise<number> {
    return runInForeground('ssh', this.#arguments(command));
  }

  /** Copies files and folders into a folder of dom0. */
  async push(sources: readonly string[], folder: string): Promise<void> {
    const from = sources.flatMap((path) => ['-C', dirname(path), basename(path)]);
    const receive = `mkdir -p ${quote(folder)} && tar -x --no-same-owner -C ${quote(folder)}`;
    await runPiped(['tar', '-c', ...from], ['ssh', ...this.#arguments(receive)]);
  }

  /** Copies a file or folder from dom0 into a folder here. */
  async pull(source: string, folder: string): Promise<void> {
    const send = `tar -c -C ${quote(dirname(source))} ${quote(basename(source))}`;
    await runPiped(['ssh', ...this.#arguments(send)], ['tar', '-x', '-C', folder]);
  }

  /** Ends the shared connection. */
  async close(): Promise<void> {
    await runToOutcome('ssh', ['-O', 'exit', ...this.#arguments('true')]);
    await rm(this.#socket, { force: true });
  }

  #arguments(command: string): string[] {
    return [
      ...['-i', keyPath(), '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR'],
      // A lab's key is made on its first connection: there is nothing to compare it with.
      ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
      ...['-o', 'ControlMaster=auto', '-o', `ControlPath=${this.#socket}`, '-o', 'ControlPersist=600'],
      ...['-o', 'ConnectTimeout=20', '-o', 'ServerAliveInterval=30', '-p', String(this.#port)],
      ...['root@127.0.0.1', command],
    ];
  }
}

/** A word of a shell command that stands for exactly this text. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
