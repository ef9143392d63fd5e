/** `pvusb sim`: a simulated host that every other command, and Debian's xenstore-utils, can work on. */
import { lstat, mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { PvusbError } from '../../pvusb/index.js';
import type { SimHost, World } from '../../sim/index.js';
import { isXenstoreRelease, XENSTORE_RELEASES } from '../options.js';
import { orWords, quoteWord } from '../printable.js';
import { usageError } from '../report.js';
import { readBytes } from '../settings-file.js';
import type { Terminal } from '../terminal.js';

/** Options of the command. */
export interface SimOptions {
  readonly dir: string;
  readonly world?: string;
  /** The recorded host whose guests QEMU serves. */
  readonly qemu?: boolean;
  /** The release of Xen whose C xenstored its store behaves like. */
  readonly xenstore?: string;
}

/** Something that ends with the command. */
interface Part {
  close(): Promise<void>;
}

/** Longest path of a Unix socket (`unix(7): sun_path`). */
const SOCKET_PATH_MAX = 107;

/** Says that what is served in a folder is ours, from before it is made until after it is removed. */
const MARK = '.pvusb-sim';

/** Longest name of a socket in the folder: `qmp-libxl-65535~`, as it is made. */
const NAME_MAX = 16;

/** Serves a simulated host in a folder until it is stopped. */
export async function runSim(terminal: Terminal, options: SimOptions): Promise<void> {
  const dir = resolve(options.dir);
  const { xenstore = '4.17' } = options;
  if (!isXenstoreRelease(xenstore)) {
    const releases = orWords(Object.keys(XENSTORE_RELEASES));
    throw usageError(`--xenstore takes ${releases}, not ${quoteWord(xenstore)}.`, 'pvusb sim');
  }
  if (Buffer.byteLength(dir) + 1 + NAME_MAX > SOCKET_PATH_MAX) {
    throw new PvusbError(
      'invalid-argument',
      `${dir} is too long: a socket's path has at most ${SOCKET_PATH_MAX} bytes.`,
    );
  }
  const { SimHost, labWorld, qemuWorld } = await import('../../sim/index.js');
  const usual = options.qemu ? qemuWorld({ usbback: false }) : labWorld();
  const world = options.world === undefined ? usual : await readWorld(options.world);
  const host = await SimHost.create(world, { xenstore });
  const parts: Part[] = [host];
  try {
    await publishHost(host, dir, parts, world);
    // Commands would go to a daemon elsewhere instead.
    const elsewhere = terminal.env.PVUSB_HOST ? { PVUSB_HOST: '' } : {};
    for (const [name, value] of Object.entries({ ...simulatedEnvironment(dir), ...elsewhere }))
      terminal.out(`export ${name}=${quote(value)}\n`);
    terminal.out('ready\n');
    await aborted(terminal.signal);
  } finally {
    for (const part of parts.reverse()) await part.close();
  }
}

/** The variables by which every command finds the simulated host in a folder. */
export function simulatedEnvironment(dir: string): Readonly<Record<string, string>> {
  return {
    XENSTORED_PATH: join(dir, 'socket'),
    PVUSB_SYSFS: join(dir, 'sys'),
    PVUSB_QMP: dir,
    PVUSB_USERDATA: join(dir, 'userdata'),
    PVUSB_PROC: join(dir, 'proc'),
    PVUSB_DEV: join(dir, 'dev'),
    PVUSB_RULES: join(dir, RULES),
    PVUSB_STATE: join(dir, 'state'),
    PVUSB_AUDIT: join(dir, 'audit'),
    PVUSB_API_SOCKET: join(dir, 'api'),
    PVUSB_COMMAND_SOCKET: join(dir, 'command'),
    // Does not exist unless someone creates it: what the host prints is the same on every machine.
    PVUSB_USBIDS: join(dir, 'usb.ids'),
  };
}

/** The folder of rules in the folder of a simulated host. */
const RULES = 'rules';

/** The rules of a recorded host, unless there are others: people change them. */
async function writeRules(folder: string, { ruleFiles = [] }: World): Promise<void> {
  if ((await kindOf(folder)) !== undefined) return;
  for (const { path, text } of ruleFiles) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

/** Puts the host into the folder, and what ends that into `parts`. */
export async function publishHost(host: SimHost, dir: string, parts: Part[], world: World): Promise<void> {
  const { HostControl, publishControl, publishQmp, publishStore, publishSysfs, publishUses } = await import(
    '../../sim/index.js'
  );
  const mark = join(dir, MARK);
  const changes = new HostControl(host);
  try {
    if (await make(dir)) parts.push({ close: () => leave(dir) });
    await clear(dir, host);
    await writeFile(mark, '"pvusb sim" made the files in this folder and removes them when it ends.\n');
    parts.push({ close: () => rm(mark, { force: true }) });
    parts.push(await publishSysfs(host.usb, dir));
    parts.push(publishUses(host.usb, dir));
    parts.push(await publishStore(host.store, join(dir, 'socket')));
    for (const [domid, qemu] of host.qemus) parts.push(await publishQmp(qemu, qmpSocket(dir, domid)));
    await writeRules(join(dir, RULES), world);
    parts.push(await publishControl((request) => changes.perform(request), join(dir, 'control')));
  } catch (error) {
    throw (await import('./sim-errors.js')).simError(error, dir);
  }
}

/** Removes what a killed simulated host has left behind, and nothing that anyone else made. */
async function clear(dir: string, host: SimHost): Promise<void> {
  const [socket, sys] = [join(dir, 'socket'), join(dir, 'sys')];
  const refuse = (why: string): never => {
    throw new PvusbError('invalid-argument', `${why}: choose another folder.`);
  };
  const kind = await kindOf(socket);
  if (kind !== undefined && !kind.isSocket()) refuse(`${socket} already exists, and is not a socket`);
  if (kind !== undefined && (await isServed(socket))) refuse(`${socket} is served by another program`);
  const isOurs = (await kindOf(join(dir, MARK))) !== undefined;
  if ((await kindOf(sys)) !== undefined && !isOurs) {
    refuse(`${sys} already exists, and was not made by "pvusb sim"`);
  }
  await rm(socket, { force: true });
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    if (/^(qmp-libxl-\d+~?|control)$/.test(name) && (await kindOf(path))?.isSocket())
      await rm(path, { force: true });
  }
  await rm(sys, { recursive: true, force: true });
  const { MADE_HERE, USE_FOLDERS } = await import('../../sim/index.js');
  for (const name of USE_FOLDERS) {
    const folder = join(dir, name);
    if ((await kindOf(folder)) === undefined) continue;
    const isOurs = (await kindOf(join(folder, MADE_HERE))) !== undefined;
    if (isOurs) await rm(folder, { recursive: true, force: true });
    else if (host.usb.useEntries().size > 0)
      refuse(`${folder} already exists, and was not made by "pvusb sim"`);
  }
}

/** As libxl names them. */
function qmpSocket(dir: string, domid: number): string {
  return join(dir, `qmp-libxl-${domid}`);
}

async function kindOf(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (served: boolean) => (): void => {
      socket.destroy();
      resolve(served);
    };
    socket.once('connect', end(true)).once('error', end(false));
  });
}

/** Makes a folder, but not those above it; false when it exists already. */
async function make(dir: string): Promise<boolean> {
  if ((await kindOf(dir)) !== undefined) return false;
  await mkdir(dir);
  return true;
}

/** Removes a folder that was made, unless someone has put something into it. */
async function leave(dir: string): Promise<void> {
  await rmdir(dir).catch(() => undefined);
}

/** Reads a world: one written by hand, or what "pvusb inventory" printed. */
export async function readWorld(path: string): Promise<World> {
  const { parseWorldText, WorldError } = await import('../../sim/index.js');
  const text = String(await readBytes(path));
  try {
    return parseWorldText(text);
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    const why = error.message.replace(/\.$/, '');
    throw new PvusbError('invalid-configuration', `${path} cannot be used as a world: ${why}.`, {
      cause: error,
    });
  }
}

/** For a POSIX shell. */
function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    // A signal listener does not keep the process alive; a timer does.
    const alive = setInterval(() => undefined, 2 ** 30);
    const end = (): void => {
      clearInterval(alive);
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
