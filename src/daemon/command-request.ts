/** What the launcher and the daemon say to each other: frames, and the request in the first of them. */

/** The protocol's version; the launcher's is the same, or it is declined. */
export const COMMAND_PROTOCOL = '1';

/** Longest request: what a launcher can send. */
const REQUEST_MAX = 128 * 1024;

/** More variables than anybody has. */
const VARIABLES_MAX = 256;

/** The variables that a launcher passes on. */
const PASSED_ON = /^(PVUSB_|XENSTORED_|(LANG|LC_ALL|TERM|NO_COLOR|COLUMNS)$)/;

/** Bytes of a frame's head: its type, and the length of what follows. */
const HEAD = 5;

/** A request whose form is wrong: no launcher of ours has sent it. */
export class CommandProtocolError extends Error {
  override readonly name = 'CommandProtocolError';
}

/** A command line that was handed over. */
export interface CommandRequest {
  readonly protocol: string;
  /** The version of the program that the launcher belongs to. */
  readonly version: string;
  /** What standard output has room for; undefined if it is not a terminal. */
  readonly columns: number | undefined;
  readonly errColumns: number | undefined;
  /** Whether progress is shown on standard error. */
  readonly showsProgress: boolean;
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly argv: readonly string[];
}

/** What a launcher says. */
export type FromLauncher =
  | { readonly says: 'request'; readonly request: CommandRequest }
  /** Ctrl-C, SIGTERM or a closed terminal. */
  | { readonly says: 'interrupt' };

/** Reads what a launcher says: one request, then interruptions. */
export class LauncherReader {
  #untrustedChunks: Buffer[] = [];
  #length = 0;
  /** As many bytes make it worth looking again. */
  #needed = 1;
  #hasRequest = false;

  /**
   * What is complete with these bytes.
   *
   * @throws {CommandProtocolError}
   */
  read(untrustedBytes: Buffer): FromLauncher[] {
    this.#untrustedChunks.push(untrustedBytes);
    this.#length += untrustedBytes.length;
    const said: FromLauncher[] = [];
    while (this.#length >= this.#needed) {
      const one = this.#next(Buffer.concat(this.#untrustedChunks));
      if (one) said.push(one);
    }
    return said;
  }

  #next(bytes: Buffer): FromLauncher | undefined {
    const type = String.fromCharCode(bytes[0]!);
    if (type !== (this.#hasRequest ? 'i' : 'r'))
      throw new CommandProtocolError('The peer is not a launcher.');
    const length = bytes.length < HEAD ? 0 : bytes.readUInt32BE(1);
    if (length > (type === 'r' ? REQUEST_MAX : 0)) throw new CommandProtocolError('A frame is too long.');
    const end = HEAD + length;
    const isWhole = bytes.length >= end;
    const left = isWhole ? bytes.subarray(end) : bytes;
    this.#untrustedChunks = [left];
    this.#length = left.length;
    this.#needed = isWhole ? 1 : end;
    if (!isWhole) return undefined;
    if (type === 'i') return { says: 'interrupt' };
    this.#hasRequest = true;
    return { says: 'request', request: parseRequest(bytes.subarray(HEAD, end)) };
  }
}

/** The fields of a request, separated by NUL. */
function parseRequest(untrustedBytes: Buffer): CommandRequest {
  const [protocol, version, columns, errColumns, shows, isTerminal, count, ...rest] = untrustedBytes
    .toString('utf8')
    .split('\0');
  if (protocol === undefined || version === undefined) throw new CommandProtocolError('A field is missing.');
  // What else it has is known of our own protocol only.
  if (protocol !== COMMAND_PROTOCOL) return { ...NOTHING, protocol, version };
  const variables = toNumber(count, VARIABLES_MAX);
  if (variables === undefined || variables > rest.length)
    throw new CommandProtocolError('The variables are not as many as were announced.');
  return {
    protocol,
    version,
    columns: toColumns(columns),
    errColumns: toColumns(errColumns),
    showsProgress: toFlag(shows),
    isTerminal: toFlag(isTerminal),
    env: toEnvironment(rest.slice(0, variables)),
    argv: rest.slice(variables),
  };
}

const NOTHING = {
  columns: undefined,
  errColumns: undefined,
  showsProgress: false,
  isTerminal: false,
  env: {},
  argv: [],
};

function toNumber(text: string | undefined, max: number): number | undefined {
  const number = /^\d{1,5}$/.test(text ?? '') ? Number(text) : undefined;
  return number !== undefined && number <= max ? number : undefined;
}

function toColumns(text: string | undefined): number | undefined {
  if (text === '') return undefined;
  const columns = toNumber(text, 99_999);
  if (!columns) throw new CommandProtocolError('A width is not a number.');
  return columns;
}

function toFlag(text: string | undefined): boolean {
  if (text !== '0' && text !== '1') throw new CommandProtocolError('A field is neither 0 nor 1.');
  return text === '1';
}

/** The first of several with the same name counts, as for getenv(3). */
function toEnvironment(untrustedVariables: readonly string[]): Readonly<Record<string, string>> {
  const variables = untrustedVariables.map((text) => {
    const at = text.indexOf('=');
    const name = text.slice(0, at);
    if (at < 1 || !PASSED_ON.test(name))
      throw new CommandProtocolError('A variable is not one of those that are passed on.');
    return [name, text.slice(at + 1)] as const;
  });
  return Object.fromEntries(variables.toReversed());
}

/** A frame of an answer. */
export function answerFrame(type: 'o' | 'e' | 'n' | 'x', text = ''): Buffer {
  const bytes = Buffer.from(text);
  const frame = Buffer.allocUnsafe(HEAD + bytes.length);
  frame.write(type, 0, 'latin1');
  frame.writeUInt32BE(bytes.length, 1);
  bytes.copy(frame, HEAD);
  return frame;
}
