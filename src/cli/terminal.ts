/** What the command line reads and writes, so that a test can stand in for a terminal. */
import type { Daemon } from '../client/index.js';
import type { CommandTerminal } from '../daemon/index.js';
import type { Host, Progress, PvusbError } from '../pvusb/index.js';
import { type Outputs, processOutputs } from './output.js';

/** Where a command prints, and by whom it is carried out. */
export interface Terminal extends CommandTerminal {
  /** A host that somebody follows, so that little has to be read; it stays open. Absent: it is opened. */
  readonly host?: Host | undefined;
  /** The daemon that carries commands out, where one was named; `host` is then what it sees. */
  readonly daemon?: Daemon | undefined;
  /** Told about steps, besides the person at the terminal. */
  readonly onStep?: ((progress: Progress) => void) | undefined;
  /** Told of each error that is printed. */
  readonly onError?: ((error: PvusbError) => void) | undefined;
}

/** The process's own terminal. */
export function processTerminal(): Terminal & Pick<Outputs, 'end'> {
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
  return {
    ...processOutputs(),
    showsProgress: redraws(process.stderr, process.env),
    columns: columnsOf(process.stdout, process.env),
    errColumns: columnsOf(process.stderr, process.env),
    env: process.env,
    signal: interrupt.signal,
  };
}

/**
 * Whether lines of a stream may be drawn again, which takes escape sequences: they are for a terminal that knows them
 * (`TERM` is not `dumb`), and not for someone who asks for plain text (`NO_COLOR`, if not empty).
 */
export function redraws(stream: { readonly isTTY?: boolean }, { TERM, NO_COLOR }: Terminal['env']): boolean {
  return stream.isTTY === true && TERM !== 'dumb' && !NO_COLOR;
}

/** Width assumed for a terminal of unknown width. */
const USUAL_WIDTH = 80;

/**
 * How wide the lines of a stream may be; undefined: unlimited. `COLUMNS` also applies to a pipe, as for ps(1): watch(1)
 * sets it.
 */
export function columnsOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  env: Terminal['env'],
): number | undefined {
  const asked = /^0*[1-9]\d{0,4}$/.test(env.COLUMNS ?? '') ? Number(env.COLUMNS) : undefined;
  return asked ?? (stream.isTTY === true ? stream.columns || USUAL_WIDTH : undefined);
}
