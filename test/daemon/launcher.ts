/** The launcher, compiled for the tests, and daemons for it to find. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { type RunCommand, type ServeCommandsOptions, serveCommands } from '../../src/daemon/command-line.js';
import type { Actor } from '../../src/daemon/service.js';
import { Program } from '../cli/program.js';
import { orSkip } from '../support/needs.js';
import { projectRoot } from '../xenstored/fetch.js';

const ROOT: Actor = { name: 'root', via: 'command', role: 'admin', uid: 0 };
const { version: VERSION } = JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8')) as {
  readonly version: string;
};

const folder = mkdtempSync(join(tmpdir(), 'pvusb-launcher-'));
after(() => rmSync(folder, { recursive: true }));

/** What the launcher starts when no daemon does the work. */
const FULL = join(folder, 'full');
writeFileSync(FULL, '#!/bin/sh\necho "full program: $*"\nexit 42\n');
chmodSync(FULL, 0o755);

/** The launcher, where there is a C compiler. */
export const made = await orSkip('the launcher', 'a C compiler (gcc)', () => {
  const file = join(folder, 'pvusb');
  const script = join(projectRoot(), 'scripts/launcher.js');
  const { status, stderr } = spawnSync(process.execPath, [script, file, FULL], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr.trim());
  return file;
});

/** Where it looks for its daemon. */
export const PATH = join(folder, 'socket');
/** What tells it so. */
export const ENV = { PVUSB_COMMAND_SOCKET: PATH };

/** Has commands served while `body` runs. */
export async function serving(
  run: RunCommand,
  body: () => Promise<void>,
  options: Partial<ServeCommandsOptions> = {},
): Promise<void> {
  const server = createServer();
  const served = serveCommands(server, run, {
    version: VERSION,
    environment: {},
    admit: () => ROOT,
    ...options,
  });
  await listening(server, body, () => served.close());
}

/** Listens while `body` runs. */
export async function listening(
  server: ReturnType<typeof createServer>,
  body: () => Promise<void>,
  end: () => Promise<void> = async () => undefined,
): Promise<void> {
  await new Promise<void>((resolve) => server.listen(PATH, resolve));
  try {
    await body();
  } finally {
    await end();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** A daemon that does with a connection what the test says. */
export const answering = (answer: (socket: Socket) => void, body: () => Promise<void>): Promise<void> =>
  listening(
    createServer((socket) => socket.on('error', () => undefined).once('data', () => answer(socket))),
    body,
  );

/** Starts it. */
export const launch = (argv: readonly string[], env: Record<string, string> = {}): Program =>
  new Program(made.found!, argv, { ...ENV, ...env });

/** What the full program prints. */
export const FULL_RUN = (argv: string) => ({ status: 42, stdout: `full program: ${argv}\n`, stderr: '' });
