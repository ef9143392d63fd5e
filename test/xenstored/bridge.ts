/** The process that plays a daemon's guests (`native/xsbridge.c`). */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { unlessHung } from '../support/hang.js';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** One such process. */
export class Bridge {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<string, Waiter>();

  /** @param folder the daemon's */
  constructor(program: string, folder: string) {
    this.#process = spawn(program, [folder], { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdin, stdout } = this.#process;
    createInterface(stdout).on('line', (line) => {
      this.#waiting.get(line)?.resolve();
      this.#waiting.delete(line);
    });
    this.#process.on('exit', (status) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the bridge ended with status ${status}`));
    });
    // A waiting command keeps the process alive with its timer; an idle bridge must not.
    this.#process.unref();
    for (const pipe of [stdin, stdout]) (pipe as unknown as Socket).unref();
  }

  /** Opens the guest's socket, `guestN` in the daemon's folder. The domain must have been introduced. */
  async add(domid: number): Promise<void> {
    await this.#tell(`+${domid}`);
  }

  /** Closes a guest's socket and its connection. */
  async drop(domid: number): Promise<void> {
    await this.#tell(`-${domid}`);
  }

  /** Ends it. */
  end(): void {
    this.#process.kill('SIGKILL');
  }

  async #tell(command: string): Promise<void> {
    const done = new Promise<void>((resolve, reject) => this.#waiting.set(command, { resolve, reject }));
    this.#process.stdin.write(`${command}\n`);
    await unlessHung(`the bridge's ${command}`, done);
  }
}
