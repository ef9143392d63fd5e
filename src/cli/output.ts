/** Standard output and standard error of the process: what is printed arrives whole, or the failure is told. */
import { fstatSync, writeFileSync } from 'node:fs';
import { getSystemErrorMap } from 'node:util';

/** Exit status of a command that succeeded, but whose output could not be written. */
export const UNWRITTEN_STATUS = 6;

/** How long a command may go on with a failed standard output before that is told. */
const TELL_AFTER_MS = 1000;

/** A stream of the process. */
type Stream = NodeJS.WriteStream & { readonly fd: 1 | 2 };

/** One of the two streams. */
class Output {
  readonly #stream: Stream;
  readonly #isFile: boolean;
  readonly #onFailure: (why: string) => void;
  #hasFailed = false;
  #failure: string | undefined;

  constructor(stream: Stream, onFailure: (why: string) => void = () => undefined) {
    this.#stream = stream;
    this.#onFailure = onFailure;
    const kind = fstatSync(stream.fd);
    this.#isFile = stream.isTTY !== true && !kind.isFIFO() && !kind.isSocket();
    stream.on('error', (error) => this.#fail(error));
  }

  /** Prints a text. After a failure nothing more: a gap in the output would not be noticed. */
  write(text: string): void {
    if (this.#hasFailed) return;
    if (!this.#isFile) {
      this.#stream.write(text);
      return;
    }
    // Node's own stream writes to a file only once, and forgets what a disk that became full did not take.
    try {
      writeFileSync(this.#stream.fd, text);
    } catch (error) {
      this.#fail(error as NodeJS.ErrnoException);
    }
  }

  /** Resolves when everything was written or has failed: to why it failed, if that is worth telling. */
  async settled(): Promise<string | undefined> {
    // An error event comes after the callback of the write that failed.
    if (!this.#isFile)
      await new Promise<void>((resolve) => this.#stream.write('', () => setImmediate(resolve)));
    return this.#failure;
  }

  #fail(error: NodeJS.ErrnoException): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    // `pvusb devices | head` is not a failure: nobody reads any further. Nor is it one when the terminal was closed.
    if (error.code === 'EPIPE' || (error.code === 'EIO' && this.#stream.isTTY === true)) return;
    this.#failure = describe(error);
    this.#onFailure(this.#failure);
  }
}

/** Both streams. */
export interface Outputs {
  /** Prints on standard output. */
  out(text: string): void;
  /** Prints on standard error. */
  err(text: string): void;
  /** Waits until all is printed, tells if it could not be, and gives the exit status of the process. */
  end(exitStatus: number): Promise<number>;
}

/** The process's own. */
export function processOutputs(): Outputs {
  const stderr = new Output(process.stderr);
  const stdout = new Output(process.stdout, (why) => {
    // What runs for months does not leave it to its end to say so.
    const text = `pvusb: Standard output can no longer be written: ${why}.\n`;
    setTimeout(() => stderr.write(text), TELL_AFTER_MS).unref();
  });
  return {
    out: (text) => stdout.write(text),
    err: (text) => stderr.write(text),
    async end(exitStatus) {
      const why = await stdout.settled();
      const what = exitStatus === 0 ? 'The command did its work, but its output' : "The command's output";
      if (why !== undefined) stderr.write(`pvusb: ${what} could not be written: ${why}.\n`);
      const untold = await stderr.settled();
      return exitStatus === 0 && (why ?? untold) !== undefined ? UNWRITTEN_STATUS : exitStatus;
    },
  };
}

/** `no space left on device (ENOSPC)` */
function describe({ code, errno, message }: NodeJS.ErrnoException): string {
  const text = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1];
  return text === undefined ? message : `${text} (${code})`;
}
