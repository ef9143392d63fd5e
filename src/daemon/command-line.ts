/** Commands at the speed of a launcher: the daemon runs the command lines that launchers hand over. */
import type { Server, Socket } from 'node:net';
import {
  answerFrame,
  COMMAND_PROTOCOL,
  type CommandRequest,
  type FromLauncher,
  LauncherReader,
} from './command-request.js';
import type { Actor } from './service.js';

/** Where a command prints, and what it has to know of that place. */
export interface CommandTerminal {
  /** Standard output. */
  out(text: string): void;
  /** Standard error. */
  err(text: string): void;
  /** Whether standard error is a terminal whose lines may be drawn again: progress is shown. */
  readonly showsProgress: boolean;
  /**
   * What standard output has room for: `COLUMNS`, otherwise the terminal's width. Undefined if it is not a terminal:
   * nothing is cut.
   */
  readonly columns: number | undefined;
  /** The same for standard error. */
  readonly errColumns: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts on Ctrl-C and on SIGTERM. */
  readonly signal: AbortSignal;
}

/** Runs a command line, and gives its exit status. */
export type RunCommand = (terminal: CommandTerminal, argv: readonly string[], by: Actor) => Promise<number>;

/** Options of {@link serveCommands}. */
export interface ServeCommandsOptions {
  /** The version of this program: a launcher of another one starts its own. */
  readonly version: string;
  /** The daemon's environment: a command that means another host is declined. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Who has connected (by `SO_PEERCRED`); undefined: somebody who may not have commands run, and is hung up on. */
  readonly admit: (socket: Socket) => Actor | undefined;
  /** Whether a command is served, now; otherwise the launcher starts the full program. All are unless given. */
  readonly serves?: ((request: CommandRequest) => boolean) | undefined;
  /** Commands at a time; more are declined. 32 unless given. */
  readonly commandsMax?: number | undefined;
  /** Bytes that a launcher has not read yet: with more, its command is aborted. 4 MiB unless given. */
  readonly unreadMax?: number | undefined;
  /** How long a connection may take to send its request, in milliseconds; 10,000 unless given. */
  readonly requestWithinMs?: number | undefined;
}

/** The commands that are being served. */
export interface ServedCommands {
  /** Aborts them all, and resolves when they have ended. New ones are declined. */
  close(): Promise<void>;
}

/** What names the host that a command is about. */
const NAMES_HOST = /^(PVUSB|XENSTORED)_/;

/** These are the launcher's own business. */
const LAUNCHERS = new Set(['PVUSB_COMMAND_SOCKET', 'PVUSB_PROGRAM']);

/**
 * Serves launchers that connect to `server`: each hands over one command line, which `run` runs on a terminal whose
 * output is sent back. A launcher that goes away aborts its command.
 */
export function serveCommands(
  server: Server,
  run: RunCommand,
  options: ServeCommandsOptions,
): ServedCommands {
  const { commandsMax = 32 } = options;
  const connections = new Set<Connection>();
  const running = new Set<Promise<void>>();
  let isClosing = false;
  server.on('connection', (socket: Socket) => {
    const by = options.admit(socket);
    if (!by) {
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, options, (request) => {
      if (isClosing || running.size >= commandsMax || !isOurs(request, options)) return undefined;
      return (terminal) => {
        const command = run(terminal, request.argv, by);
        const ended = command.then(
          () => undefined,
          () => undefined,
        );
        running.add(ended);
        void ended.then(() => running.delete(ended));
        return command;
      };
    });
    connections.add(connection);
    socket.once('close', () => connections.delete(connection));
  });
  return {
    async close() {
      isClosing = true;
      for (const connection of connections) connection.abort();
      while (running.size > 0) await Promise.all(running);
      for (const connection of connections) connection.hangUp();
    },
  };
}

/** Whether a command is for this daemon: of its version, and about its host. */
function isOurs(request: CommandRequest, { version, environment, serves }: ServeCommandsOptions): boolean {
  const { protocol, env, argv } = request;
  if (protocol !== COMMAND_PROTOCOL || request.version !== version) return false;
  if (argv.some((word) => word.startsWith('--sysfs-root'))) return false;
  const names = [...Object.keys(env), ...Object.keys(environment)];
  const isSame = (name: string): boolean => (env[name] || undefined) === (environment[name] || undefined);
  if (names.some((name) => NAMES_HOST.test(name) && !LAUNCHERS.has(name) && !isSame(name))) return false;
  return serves?.(request) ?? true;
}

/** What runs a request; undefined: it is declined. */
type Choose = (request: CommandRequest) => ((terminal: CommandTerminal) => Promise<number>) | undefined;

/** One launcher. */
class Connection {
  readonly #socket: Socket;
  readonly #choose: Choose;
  readonly #unreadMax: number;
  readonly #reader = new LauncherReader();
  readonly #interrupt = new AbortController();
  readonly #late: NodeJS.Timeout;

  constructor(socket: Socket, options: ServeCommandsOptions, choose: Choose) {
    const { requestWithinMs = 10_000, unreadMax = 4 * 1024 * 1024 } = options;
    this.#socket = socket;
    this.#choose = choose;
    this.#unreadMax = unreadMax;
    this.#late = setTimeout(() => socket.destroy(), requestWithinMs);
    socket.on('data', (untrustedBytes: Buffer) => this.#read(untrustedBytes));
    socket.on('error', () => socket.destroy());
    // A launcher that is gone reads nothing any more.
    socket.on('end', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(this.#late);
      this.abort();
    });
  }

  /** The command is to undo what it began. */
  abort(): void {
    this.#interrupt.abort();
  }

  /** Ends the connection when everything is sent; at once, if nothing was asked yet. */
  hangUp(): void {
    this.#socket.destroySoon();
  }

  #read(untrustedBytes: Buffer): void {
    let said: FromLauncher[];
    try {
      said = this.#reader.read(untrustedBytes);
    } catch {
      this.#socket.destroy();
      return;
    }
    for (const one of said) {
      if (one.says === 'interrupt') this.abort();
      else void this.#run(one.request);
    }
  }

  async #run(request: CommandRequest): Promise<void> {
    clearTimeout(this.#late);
    const run = this.#choose(request);
    if (!run) {
      this.#socket.end(answerFrame('n'));
      return;
    }
    const { showsProgress, columns, errColumns, env } = request;
    const terminal: CommandTerminal = {
      out: (text) => this.#send('o', text),
      err: (text) => this.#send('e', text),
      showsProgress,
      columns,
      errColumns,
      env,
      signal: this.#interrupt.signal,
    };
    try {
      const status = await run(terminal);
      this.#socket.end(answerFrame('x', String(status)));
    } catch {
      // Without a status the launcher says that the command has not come to its end.
      this.#send('e', 'pvusb: The command has failed inside the daemon; its log says why.\n');
      this.#socket.end();
    }
  }

  #send(type: 'o' | 'e', text: string): void {
    if (this.#socket.writable && text !== '') this.#socket.write(answerFrame(type, text));
    // It does not read: what it was to be told must not fill the daemon's memory.
    if (this.#socket.writableLength > this.#unreadMax) this.#socket.destroy();
  }
}
