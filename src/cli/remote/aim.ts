/** `pvusb --host URL COMMAND`: which daemon a command line is for, and which commands can be. */
import type { Command } from 'commander';
import { printable } from '../../sysfs/index.js';
import { notElsewhere, usageError } from '../report.js';
import type { Terminal } from '../terminal.js';
import { isXlCommand } from '../xl/commands.js';
import type { AddressOptions } from './address.js';

/** What a daemon does for somebody elsewhere. */
const REMOTE: ReadonlySet<string> = new Set([
  ...['devices', 'list', 'inventory', 'export', 'attach', 'detach', 'release', 'apply', 'doctor'],
  ...['controller add', 'controller remove', 'controller destroy', 'controller info'],
  ...['assign', 'unassign', 'assignments', 'explain', 'check', 'reconcile'],
  ...['requests', 'allow', 'refuse', 'quiesce', 'restore', 'quiesced', 'audit show'],
]);

/** What is about no host, or makes its own: a daemon that the environment names does not concern it. */
const ANYWHERE: ReadonlySet<string> = new Set(['help', 'completion', 'import', 'token', 'sim', 'demo']);

/** The options before a command that say which daemon it is for. */
export const HOST_OPTIONS = [
  ['--host <url>', 'the daemon to run the command on: https://NAME:8443 or unix:PATH (or PVUSB_HOST)'],
  ['--token-file <file>', 'file with the token for it (or PVUSB_TOKEN, the token itself)'],
  ['--ca <file>', "certificates to trust instead of the system's, in PEM"],
] as const;

/** A command line for a daemon. */
interface Aimed {
  readonly terminal: Terminal;
  /** What is left of the command line. */
  readonly argv: readonly string[];
}

/**
 * Takes the daemon's address from the front of a command line, or from the environment. What is not complete is left
 * for the parser to refuse.
 *
 * @throws {PvusbError} `invalid-argument`: not an address, no token, or not a command for a daemon elsewhere
 */
export async function aim(terminal: Terminal, build: () => Command, argv: readonly string[]): Promise<Aimed> {
  const { given, rest } = takeOptions(argv);
  const said = given.get('--host');
  const host = said ?? (terminal.env.PVUSB_HOST || undefined);
  if (host === undefined || rest.length === 0 || rest[0]!.startsWith('-') || asksForHelp(rest))
    return { terminal, argv: host === undefined ? argv : rest };
  if (said === undefined && ANYWHERE.has(rest[0]!)) return { terminal, argv: rest };
  const words = commandIn(build(), rest);
  // Of what is no command the parser says so.
  if (words === undefined) return { terminal, argv: rest };
  if (!REMOTE.has(words) && words !== 'complete') throw notElsewhere(words);
  if (rest.some((word) => /^--sysfs-root(=|$)/.test(word)))
    throw usageError('--sysfs-root is for this host: it cannot be used with a daemon.', `pvusb ${words}`);
  const address = { host, tokenFile: given.get('--token-file'), ca: given.get('--ca') };
  return { terminal: await atDaemon(terminal, address), argv: rest };
}

async function atDaemon(terminal: Terminal, address: AddressOptions): Promise<Terminal> {
  const [{ openNamedDaemon }, { hostOf }] = await Promise.all([import('./address.js'), import('./host.js')]);
  const daemon = await openNamedDaemon(address, terminal.env);
  return {
    ...terminal,
    // What somebody else's program says must not steer this terminal.
    out: (text) => terminal.out(harmless(text)),
    err: (text) => terminal.err(harmless(text)),
    daemon,
    host: hostOf(daemon),
  };
}

/** Lines and tabs as they are; all else that is not printed is escaped, but for the beginning of a line of progress. */
function harmless(text: string): string {
  const [, drawn = '', rest = ''] = /^(\r\u001b\[K)?(.*)$/s.exec(text) ?? [];
  return `${drawn}${rest.replace(/[^\n\t]+/g, printable)}`;
}

function takeOptions(argv: readonly string[]) {
  const given = new Map<string, string>();
  let at = 0;
  for (; at < argv.length; at++) {
    const [, name, value] = /^(--(?:host|token-file|ca))(?:=(.*))?$/s.exec(argv[at]!) ?? [];
    if (name === undefined) break;
    const taken = value ?? argv[++at];
    // The parser says that it is missing.
    if (taken === undefined) return { given: new Map<string, string>(), rest: argv };
    given.set(name, taken);
  }
  return { given, rest: argv.slice(at) };
}

function asksForHelp(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  return words.slice(0, end === -1 ? undefined : end).some((word) => word === '--help' || word === '-h');
}

/** The name of the command, of two words where it has them; undefined if it is none. */
function commandIn(program: Command, [first, second]: readonly string[]): string | undefined {
  if (first === 'complete' || (first !== undefined && isXlCommand(first))) return first;
  const command = program.commands.find((one) => one.name() === first);
  if (!command || command.commands.length === 0) return command?.name();
  const sub = command.commands.find((one) => one.name() === second);
  return sub ? `${command.name()} ${sub.name()}` : ANYWHERE.has(command.name()) ? command.name() : undefined;
}
