/** `pvusb serve`: the daemon, with its doors, its audit and systemd. */
import { createServer, type Server } from 'node:net';
import { AUDIT_ROOT, latestChanges, openAudit, openJournal, readAudit } from '../../audit/index.js';
import {
  type AuditReader,
  auditEntry,
  Daemon,
  type Door,
  keepSmall,
  listenAt,
  openApi,
  openTokens,
  ROLES,
  serveCommands,
  TOKENS_PATH,
} from '../../daemon/index.js';
import { groupNamed, loadPeerOf, openNotifier, type PeerOf } from '../../linux/index.js';
import { openHost, PvusbError } from '../../pvusb/index.js';
import { printable } from '../../sysfs/index.js';
import { takeActivation } from '../activation.js';
import { withAudit } from '../audit-errors.js';
import type { CommonOptions } from '../context.js';
import { findPage } from '../page-folder.js';
import { orWords, printableJsonLine, quoteWord } from '../printable.js';
import { apiSocketOf } from '../remote/address.js';
import { usageError } from '../report.js';
import { type RunProgram, runServed } from '../served-command.js';
import { readBytes } from '../settings-file.js';
import type { Terminal } from '../terminal.js';
import { VERSION } from '../version.js';
import { describeEvent } from './watch.js';

/** Where the launcher's commands are, unless told otherwise. */
const COMMAND_SOCKET = '/run/pvusb/command.sock';

/** Options of the command. */
export interface ServeOptions extends CommonOptions {
  readonly socket?: string;
  readonly commandSocket?: string;
  readonly group?: string;
  readonly groupRole?: string;
  readonly listen?: string;
  readonly name?: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tokens?: string;
}

/** What a daemon is started with besides its options. */
interface ServeParts {
  readonly runProgram: RunProgram;
  /** Called when the doors are open; it is told whether there is a page. */
  readonly onOpen?: ((hasPage: boolean) => void) | undefined;
}

/** Runs until it is stopped. */
export async function runServe(
  terminal: Terminal,
  options: ServeOptions,
  { runProgram, onOpen }: ServeParts,
): Promise<void> {
  keepSmall();
  const { env, signal } = terminal;
  const activated = takeActivation(process.env, process.pid);
  const systemd = openNotifier(process.env, process.pid);
  const tell = (sentence: string): void => terminal.err(`pvusb: ${printable(sentence)}\n`);
  const peerOf = await loadPeerOf();
  refuseIdle(options);
  const doors = await doorsOf(terminal, options, { activated, peerOf, tell });
  const folder = env.PVUSB_AUDIT || AUDIT_ROOT;
  const journal = await openJournal();
  const audit = await withAudit(() =>
    openAudit(folder, { also: journal, trouble: (error) => tell(messageOf(error)) }),
  );
  const daemon = new Daemon({
    open: (ended) => openHost({ signal: ended, environment: env, sysfsRoot: options.sysfsRoot }),
    record: (record) => {
      const entry = auditEntry(record, daemon.seen);
      audit.append(entry).catch((error: unknown) => tell(messageOf(error)));
    },
    onWatch: (event) => terminal.out(`${options.json ? printableJsonLine(event) : describeEvent(event)}\n`),
  });
  const page = await findPage(env);
  const closers: (() => Promise<unknown>)[] = [() => audit.close()];
  try {
    const api = await openApi({
      doors,
      service: daemon,
      audit: auditReader(folder),
      version: VERSION,
      page,
      onFault: (error) => tell(`Fault: ${error instanceof Error ? (error.stack ?? error.message) : error}`),
    });
    closers.unshift(() => api.close());
    const commands = await openCommands(terminal, options, { activated, peerOf, daemon, runProgram });
    closers.unshift(() => commands.close());
    onOpen?.(page !== undefined);
    const stop = feedWatchdog(systemd, daemon);
    daemon.events.listen(({ event }) => {
      if (event.event === 'state') void systemd.notify(statusOf(event.state)).catch(() => undefined);
    });
    await daemon.run(signal);
    stop();
    await systemd.notify('STOPPING=1').catch(() => false);
  } finally {
    for (const close of closers) await close();
  }
}

/** What goes with which option: without it they would have no effect, and the daemon would not be as was meant. */
const GOES_WITH = {
  groupRole: ['--group-role', 'group', '--group'],
  name: ['--name', 'listen', '--listen'],
  tlsCert: ['--tls-cert', 'listen', '--listen'],
  tlsKey: ['--tls-key', 'listen', '--listen'],
  tokens: ['--tokens', 'listen', '--listen'],
} as const satisfies Partial<Record<keyof ServeOptions, readonly [string, keyof ServeOptions, string]>>;

function refuseIdle(options: ServeOptions): void {
  for (const [name, [flag, other, otherFlag]] of Object.entries(GOES_WITH)) {
    if (options[name as keyof typeof GOES_WITH] !== undefined && options[other] === undefined)
      throw usageError(`${flag} has no effect without ${otherFlag}.`, 'pvusb serve');
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function statusOf(state: Daemon['state']): string {
  if (state === 'ready') return 'READY=1\nSTATUS=Following the host.';
  // It is up all the same: whoever waits for it would wait for xenstored.
  return 'READY=1\nSTATUS=xenstored does not answer; trying again.';
}

/** What the doors are made with. */
interface Parts {
  readonly activated: ReadonlyMap<string, number>;
  readonly peerOf: PeerOf;
  readonly tell: (sentence: string) => void;
}

async function doorsOf(terminal: Terminal, options: ServeOptions, parts: Parts): Promise<Door[]> {
  const { activated, peerOf, tell } = parts;
  const path = apiSocketOf(terminal.env, options.socket);
  const fd = activated.get('api');
  const unix: Door = {
    kind: 'unix',
    listen: fd === undefined ? { path } : { fd },
    peerOf,
    owner: process.getuid?.(),
    group: await groupOf(options),
  };
  if (options.listen === undefined) return [unix];
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(options.listen) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw usageError(
      `--listen takes an address and a port, as in 192.0.2.1:8443, not ${quoteWord(options.listen)}.`,
      'pvusb serve',
    );
  const address = host.replace(/^\[(.*)\]$/, '$1');
  const tokens = options.tokens || TOKENS_PATH;
  const tcp: Door = {
    kind: 'tcp',
    listen: { host: address, port: Number(port) },
    tls: await tlsOf(options),
    tokens: openTokens(tokens, tell),
    hosts: options.name?.length ? options.name : [options.listen],
  };
  return [unix, tcp];
}

async function groupOf({ group, groupRole = 'operator' }: ServeOptions) {
  if (group === undefined) return undefined;
  const role = ROLES.find((one) => one === groupRole);
  if (!role)
    throw usageError(`--group-role takes ${orWords(ROLES)}, not ${quoteWord(groupRole)}.`, 'pvusb serve');
  const gid = await groupNamed(group);
  if (gid === undefined)
    throw new PvusbError('invalid-argument', `There is no group ${quoteWord(group)} on this machine.`);
  return { gid, role };
}

async function tlsOf({ tlsCert, tlsKey }: ServeOptions) {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw usageError('--tls-cert and --tls-key go together.', 'pvusb serve');
  return { cert: await readBytes(tlsCert), key: await readBytes(tlsKey) };
}

function auditReader(folder: string): AuditReader {
  return async ({ after, limit = 100 }) => {
    if (after === undefined) return (await latestChanges(folder, limit)).map((entry) => ({ ...entry }));
    const entries: Readonly<Record<string, unknown>>[] = [];
    for await (const entry of readAudit(folder, { after })) {
      entries.push({ ...entry });
      if (entries.length >= limit) break;
    }
    return entries;
  };
}

/** Whoever is root has commands run, as if they were started by themselves. */
async function openCommands(
  terminal: Terminal,
  options: ServeOptions,
  {
    activated,
    peerOf,
    daemon,
    runProgram,
  }: Omit<Parts, 'tell'> & { readonly daemon: Daemon; readonly runProgram: RunProgram },
) {
  const server: Server = createServer();
  const path = options.commandSocket || terminal.env.PVUSB_COMMAND_SOCKET || COMMAND_SOCKET;
  const fd = activated.get('command');
  const own = process.getuid?.();
  const commands = serveCommands(
    server,
    (asked, argv, by) => runServed(runProgram, daemon, asked, argv, by),
    {
      version: VERSION,
      environment: terminal.env,
      serves: () => daemon.state === 'ready',
      admit(socket) {
        const { uid, gid, pid } = peerOf(socket);
        // A simulated host's daemon is whoever's who has started it.
        if (uid !== 0 && uid !== own) return undefined;
        return { name: uid === 0 ? 'root' : `uid ${uid}`, via: 'command', role: 'admin', uid, gid, pid };
      },
    },
  );
  await listenAt(server, { kind: 'unix', listen: fd === undefined ? { path } : { fd }, peerOf });
  return {
    async close(): Promise<void> {
      server.close();
      await commands.close();
    },
  };
}

/**
 * Tells systemd that the daemon is alive: not only that this process turns, but that the host can be looked at. Returns
 * what ends it.
 */
function feedWatchdog({ watchdogMs, notify }: ReturnType<typeof openNotifier>, daemon: Daemon): () => void {
  if (watchdogMs === undefined) return () => undefined;
  const feed = async (): Promise<void> => {
    // xenstored's absence is nothing that a new start would mend.
    if (daemon.state === 'ready') await daemon.inventory().catch(() => undefined);
    await notify('WATCHDOG=1').catch(() => false);
  };
  const timer = setInterval(() => void feed(), watchdogMs / 2);
  return () => clearInterval(timer);
}
