/** `pvusb usb-list` as a process, compared with the smallest possible Node process. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from '../test/xenstored/daemon.js';
import { projectRoot } from '../test/xenstored/fetch.js';
import { interleave } from './measure.js';
import { startC } from './peers.js';
import { type Goal, ms, printTable, times } from './report.js';

const ROUNDS = 31;
const LIMIT = 1.5;
const DOMAIN = '1';

/** Measures on a store that has a domain 1 with controllers. */
export async function measureStart(daemon: Daemon, program: string): Promise<Goal[]> {
  const cli = join(projectRoot(), 'dist', 'cli', 'main.cjs');
  if (!existsSync(cli))
    return [{ goal: 'pvusb as a process', figure: 'dist/cli/main.cjs is missing', met: false }];
  const env = { ...daemon.tools.env, XENSTORED_PATH: daemon.socket };
  await using c = await startC(program, daemon.socket);
  const node =
    (...args: string[]) =>
    () =>
      runProcess(process.execPath, args, env);
  const measured = await interleave(ROUNDS, {
    'node -e 0': node('-e', '0'),
    'pvusb usb-list': node(cli, 'usb-list', DOMAIN),
    'pvusb --version': node(cli, '--version'),
    'xenstore-read': () =>
      runProcess(join(daemon.tools.folder, 'xenstore-read'), ['/local/domain/1/name'], env),
    "libxl's requests for the same list": async () => (await c.ask(`libxl ${DOMAIN}`)).us,
  });
  const base = measured['node -e 0'] + measured["libxl's requests for the same list"];
  printTable(`processes, from start to end (medians of ${ROUNDS} rounds)`, [
    ['what', 'time', "x (node -e 0 + libxl's requests)"],
    ...Object.entries(measured).map(([name, us]) => [name, ms(us), times(us / base)]),
  ]);
  const ratio = measured['pvusb usb-list'] / base;
  return [
    {
      goal: `pvusb usb-list: at most ${LIMIT} x (node -e 0 + libxl's requests)`,
      figure: times(ratio),
      met: ratio <= LIMIT,
    },
  ];
}

/** Runs a process to its end; microseconds. */
export async function runProcess(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const start = process.hrtime.bigint();
  const { status, stderr, error } = spawnSync(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const us = Number(process.hrtime.bigint() - start) / 1000;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`);
  return us;
}
