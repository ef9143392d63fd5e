/** `pvusb demo`: the daemon and its page, on a simulated host. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addToken } from '../../daemon/index.js';
import type { World } from '../../sim/index.js';
import { quoteWord } from '../printable.js';
import { usageError } from '../report.js';
import type { RunProgram } from '../served-command.js';
import type { Terminal } from '../terminal.js';
import { runServe } from './serve.js';
import { publishHost, simulatedEnvironment } from './sim.js';

/** Options of the command. */
export interface DemoOptions {
  readonly port?: string;
}

/** Runs until it is stopped. */
export async function runDemo(
  terminal: Terminal,
  options: DemoOptions,
  runProgram: RunProgram,
): Promise<void> {
  const port = options.port ?? `${await freePort()}`;
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
    throw usageError(`--port takes a port number from 1 to 65535, not ${quoteWord(port)}.`, 'pvusb demo');
  const { simError } = await import('./sim-errors.js');
  const dir = await mkdtemp(join(tmpdir(), 'pvusb-demo-')).catch((error: unknown) => {
    throw simError(error, tmpdir());
  });
  const { SimHost } = await import('../../sim/index.js');
  const world = await demoWorld();
  const host = await SimHost.create(world);
  const parts: { close(): Promise<void> }[] = [host];
  try {
    await publishHost(host, dir, parts, world);
    const tokens = join(dir, 'tokens');
    const token = await addToken(tokens, { name: 'demo', role: 'admin' });
    const listen = `127.0.0.1:${port}`;
    const quiet: Terminal = {
      ...terminal,
      // A daemon elsewhere has nothing to do with it.
      env: { ...terminal.env, ...simulatedEnvironment(dir), PVUSB_HOST: undefined },
      out: () => undefined,
    };
    // "npm run demo" runs in a checkout, where nothing called pvusb need be installed.
    const program = terminal.env.npm_lifecycle_event === 'demo' ? 'node dist/cli/main.cjs' : 'pvusb';
    const paths = { socket: join(dir, 'api.sock'), commandSocket: join(dir, 'command.sock') };
    const onOpen = (hasPage: boolean): void => {
      // What follows the # is not sent to anybody: the page takes it out of the address at once.
      terminal.out(
        `A simulated Xen host with its guests; nothing on this machine is touched.\n\n` +
          (hasPage
            ? `Open this page and drag a device onto a guest:\n\n  http://${listen}/#token=${token}\n\n`
            : 'The page has not been built: run "npm run build".\n\n') +
          `In another shell, to pull a stick out and plug it in again:\n\n` +
          `  ${program} sim unplug 1-2 --dir ${dir}\n  ${program} sim plug 1-2 --dir ${dir}\n\n` +
          'Press Ctrl-C to stop.\n',
      );
    };
    await runServe(quiet, { ...paths, tokens, listen }, { runProgram, onOpen });
  } finally {
    for (const part of parts.reverse()) await part.close();
    await rm(dir, { recursive: true, force: true });
  }
}

/** A port of this machine that nobody listens on, for now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** A small office's host: things that people plug in, and some that it needs itself. */
export async function demoWorld(): Promise<World> {
  const { shortWorld } = await import('../../sim/index.js');
  const world = shortWorld({
    devices: [
      {
        busid: '1-1',
        id: '0951:1666',
        speed: 480,
        product: 'Backup Disk',
        serial: 'BD2041',
        interfaces: ['08/06/50'],
        uses: [{ use: 'mounted', name: 'sdb1', of: '/srv/backup' }],
      },
      {
        busid: '1-2',
        id: '46f4:0001',
        speed: 480,
        product: 'Memory Stick 32 GB',
        serial: 'MS-7731',
        interfaces: ['08/06/50'],
      },
      { busid: '1-3', id: '05e3:0608', class: '09/00/01', speed: 480, product: 'Desk Hub' },
      {
        busid: '1-3.1',
        id: '046d:c31c',
        speed: 1.5,
        product: 'Office Keyboard',
        interfaces: ['03/01/01'],
        uses: [{ use: 'keyboard', name: 'Office Keyboard' }],
      },
      { busid: '1-3.2', id: '046d:c077', speed: 1.5, product: 'Optical Mouse', interfaces: ['03/01/02'] },
      {
        busid: '1-3.3',
        id: '08e6:3437',
        speed: 12,
        product: 'Smart Card Reader',
        serial: 'SC-0042',
        interfaces: ['0b/00/00'],
      },
      {
        busid: '1-4',
        id: '0a5f:0166',
        speed: 12,
        product: 'Label Printer',
        serial: 'LP-118',
        interfaces: ['07/01/02'],
      },
      {
        busid: '2-1',
        id: '46f4:0001',
        speed: 5000,
        product: 'Memory Stick 128 GB',
        serial: 'MS-9005',
        interfaces: ['08/06/50'],
      },
      {
        busid: '3-1',
        id: '046d:0825',
        speed: 480,
        product: 'HD Webcam',
        interfaces: ['0e/01/00', '0e/02/00'],
      },
      { busid: '3-2', id: '0d8c:0014', speed: 12, product: 'Headset', interfaces: ['01/01/00', '01/02/00'] },
      {
        busid: '3-3',
        id: '0403:6001',
        speed: 12,
        product: 'Serial Adapter',
        serial: 'FT-A91',
        interfaces: ['02/02/01'],
      },
    ],
    domains: [
      { domid: 1, name: 'accounting', uuid: 'a0b1f6d2-1111-4c3f-9d0e-000000000001' },
      { domid: 2, name: 'frontdesk', uuid: 'a0b1f6d2-2222-4c3f-9d0e-000000000002' },
      { domid: 3, name: 'build-server', uuid: 'a0b1f6d2-3333-4c3f-9d0e-000000000003' },
    ],
    controllers: [
      { domid: 1, devid: 0, ports: 4, devices: { '1': '1-3.3' } },
      { domid: 2, devid: 0, ports: 8 },
    ],
  });
  const rules =
    'auto accounting id=08e6:3437 serial=SC-0042 name="Smart Card Reader"\nask frontdesk id=0a5f:0166 serial=LP-118 name="Label Printer"\n';
  return { ...world, ruleFiles: [{ path: 'assignments.conf', text: rules }] };
}
