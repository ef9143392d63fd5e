/** `pvusb backend`: everything of this machine that serves guests, until it is told to stop. */
import type { FirewallRule } from '../backend/firewall.js';
import { Trace } from '../backend/tracer.js';
import { openImages, openProcesses } from '../hostuse/index.js';
import { LinuxError } from '../linux/errors.js';
import { PvusbError, USBBACK } from '../pvusb/index.js';
import { requireImage } from '../pvusb/observe/images.js';
import { openPlugs, openSysfs, printable, type Sysfs } from '../sysfs/index.js';
import { openXenstore, type XenstoreClient, type XenstoreEnvironment } from '../xenstore/index.js';
import { openTrace, serveText } from './files.js';
import { readFirewall } from './firewall-file.js';
import type { Machine } from './machine.js';
import { messageOf } from './port-server.js';
import { openMachine } from './real.js';
import { BackendServer } from './server.js';
import { parseVirtualPort, VIRTUAL_PORT_FORM, type VirtualPort } from './virtual.js';

/** How this machine serves guests. */
interface RunOptions {
  readonly signal: AbortSignal;
  readonly environment?: XenstoreEnvironment | undefined;
  readonly sysfsRoot?: string | undefined;
  /** As {@link VIRTUAL_PORT_FORM} says. */
  readonly virtual?: readonly string[] | undefined;
  /** A file with rules of the firewall; the host's own unless given, see `firewall-file.ts`. */
  readonly firewall?: string | undefined;
  /** A file for a trace of all URBs. */
  readonly trace?: string | undefined;
  /** Also what keyboards and smart cards say. */
  readonly traceSecrets?: boolean | undefined;
  /** A socket that tells metrics. */
  readonly metrics?: string | undefined;
  readonly log: (message: string) => void;
}

/**
 * Serves guests until the signal aborts. Guests stay connected after it: the next backend takes them over.
 *
 * @throws {PvusbError} `invalid-argument`, `invalid-configuration`, `image-unusable`; `backend-impossible`: there is a usbback or another
 *   backend, or this machine cannot serve; `cannot-listen`; those of xenstore
 */
export async function runBackend(options: RunOptions): Promise<void> {
  const { signal, environment, sysfsRoot = '/sys' } = options;
  const sysfs = openSysfs(sysfsRoot);
  const virtual = (options.virtual ?? []).map(requireVirtual);
  const images = openImages(sysfsRoot);
  // What cannot be used is told at once, not only in the log.
  for (const { name } of virtual) await requireImage(images, name);
  const rules = await readFirewall(options.firewall);
  if (await sysfs.hasDriver(USBBACK)) {
    throw new PvusbError(
      'backend-impossible',
      'The kernel driver usbback already serves the controllers of this host.',
      { remedy: 'Use it, or unload it (modprobe -r usbback) when no guest has a device, and try again.' },
    );
  }
  const stop = new AbortController();
  const machine = await openMachine(sysfs, () => stop.abort()).catch((error: unknown) => {
    if (!(error instanceof LinuxError)) throw error;
    throw new PvusbError('backend-impossible', `This machine cannot serve guests: ${error.message}.`, {
      cause: error,
    });
  });
  try {
    const client = await openXenstore({ signal, ...(environment ? { environment } : {}) });
    try {
      const both = AbortSignal.any([signal, stop.signal]);
      await serveGuests(client, machine, { ...options, signal: both, sysfs, sysfsRoot, virtual, rules });
    } finally {
      client.close();
    }
  } finally {
    // What is open, or waited for, would keep the process alive.
    machine.close();
  }
}

interface ServeOptions extends Omit<RunOptions, 'virtual'> {
  readonly sysfsRoot: string;
  readonly virtual: readonly VirtualPort[];
  readonly rules: readonly FirewallRule[];
  readonly sysfs: Sysfs;
}

async function serveGuests(client: XenstoreClient, machine: Machine, options: ServeOptions): Promise<void> {
  const { signal, sysfs, sysfsRoot, virtual, rules, log } = options;
  const failed = (error: Error): void => log(error.message);
  let server: BackendServer | undefined;
  // Before anybody is served: what cannot be told is no reason to take guests over and let go of them again.
  const endMetrics =
    options.metrics && (await serveText(options.metrics, () => server?.metrics ?? '', failed));
  const file = options.trace === undefined ? undefined : openTrace(options.trace, failed);
  try {
    const withSecrets = options.traceSecrets ?? false;
    const processes = openProcesses({ sysfsRoot, procRoot: '/proc', devRoot: '/dev' });
    server = await BackendServer.start(client, machine, {
      announcement: await processes.announcementOf(process.pid),
      isAlive: processes.isAlive,
      sysfs,
      trace: file && new Trace({ write: file.write, nowUs, withSecrets }),
      rules,
      virtual: (domid, devid, port) =>
        virtual.find((one) => one.domid === domid && one.devid === devid && one.port === port)?.name,
      log,
    });
    await follow(server, sysfsRoot, signal, log);
    const isLost = client.closed;
    await server.close();
    if (isLost) throw new PvusbError('connection-lost', 'The connection to xenstored was lost.');
  } finally {
    if (endMetrics) endMetrics();
    await file?.close();
  }
}

async function follow(
  server: BackendServer,
  sysfsRoot: string,
  signal: AbortSignal,
  log: (message: string) => void,
): Promise<void> {
  const plugs = await openPlugs(sysfsRoot);
  void (async () => {
    while (!(await plugs.next()).done) void server.plugged();
  })().catch((error: unknown) => log(messageOf(error)));
  log('serving');
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  try {
    await Promise.race([aborted, server.ended]);
  } finally {
    await plugs.close();
  }
}

function requireVirtual(text: string): VirtualPort {
  const port = parseVirtualPort(text);
  if (port) return port;
  const sentence = `A virtual device is given as ${VIRTUAL_PORT_FORM}, not "${printable(text)}".`;
  throw new PvusbError('invalid-argument', sentence);
}

function nowUs(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1000);
}
