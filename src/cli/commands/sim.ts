/** `pvusb sim`: a simulated host that every other command, and Debian's xenstore-utils, can work on. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PvusbError } from '../../pvusb/errors.js';
import type { World } from '../../sim/index.js';
import type { Terminal } from '../terminal.js';

/** Options of the command. */
export interface SimOptions {
  readonly dir: string;
  readonly world?: string;
}

/** Longest path of a Unix socket (`unix(7): sun_path`). */
const SOCKET_PATH_MAX = 107;

/** Serves a simulated host in a folder until it is stopped. */
export async function runSim(terminal: Terminal, options: SimOptions): Promise<void> {
  const sim = await import('../../sim/index.js');
  const dir = resolve(options.dir);
  const socket = join(dir, 'socket');
  if (socket.length > SOCKET_PATH_MAX) {
    throw new PvusbError(
      'invalid-argument',
      `${dir} is too long: a socket's path ends at ${SOCKET_PATH_MAX} bytes.`,
    );
  }
  const world = options.world === undefined ? sim.labWorld() : await readWorld(options.world);
  await mkdir(dir, { recursive: true });
  await rm(join(dir, 'sys'), { recursive: true, force: true });
  const host = await sim.SimHost.create(world);
  const published: { close(): Promise<void> }[] = [host];
  try {
    published.push(await sim.publishSysfs(host.usb, dir));
    published.push(await sim.publishStore(host.store, socket));
    const exports = { XENSTORED_PATH: socket, PVUSB_SYSFS: join(dir, 'sys') };
    for (const [name, value] of Object.entries(exports)) terminal.out(`export ${name}=${quote(value)}\n`);
    terminal.out('ready\n');
    await aborted(terminal.signal);
  } finally {
    for (const part of published.reverse()) await part.close();
  }
}

/** Reads a world: one written by hand, or what "pvusb inventory" printed. */
export async function readWorld(path: string): Promise<World> {
  const { parseWorldText, WorldError } = await import('../../sim/index.js');
  try {
    return parseWorldText(await readFile(path, 'utf8'));
  } catch (error) {
    if (!(error instanceof WorldError) && !(error instanceof Error && 'code' in error)) throw error;
    throw new PvusbError(
      'invalid-argument',
      `${path} cannot be used as a world: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** For a POSIX shell. */
function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    // A listener on a signal keeps no process alive; a timer does.
    const alive = setInterval(() => undefined, 2 ** 30);
    const end = (): void => {
      clearInterval(alive);
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
