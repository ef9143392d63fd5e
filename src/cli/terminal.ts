/** What the command line reads and writes, so that a test can stand in for a terminal. */

/** Where a command prints. */
export interface Terminal {
  /** Standard output. */
  out(text: string): void;
  /** Standard error. */
  err(text: string): void;
  /** Whether standard error is a terminal: progress is shown. */
  readonly showsProgress: boolean;
  /** Whether standard output is a terminal that shows colour. */
  readonly hasColour: boolean;
  /** Width of standard output, where it is a terminal. */
  readonly columns: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts on Ctrl-C and on SIGTERM. */
  readonly signal: AbortSignal;
}

/** The process's own terminal. */
export function processTerminal(): Terminal {
  const interrupt = new AbortController();
  let asked = 0;
  const stop = (): void => {
    // The first one asks, and what was begun is undone; the third one ends the process at once.
    if (++asked === 3) process.exit(130);
    interrupt.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  // A closed terminal, a dropped ssh.
  process.on('SIGHUP', stop);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreBrokenPipe);
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    showsProgress: process.stderr.isTTY === true,
    hasColour: process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
    columns: process.stdout.columns,
    env: process.env,
    signal: interrupt.signal,
  };
}

/** `pvusb devices | head` is not a failure: nobody reads any further, but what was begun is finished. */
function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
}
