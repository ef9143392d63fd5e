/** How fast the packaged program starts, compared with the smallest Node process and xenstore's own C program. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchXenstored, projectRoot } from '../test/xenstored/fetch.js';
import { type Contender, interleave } from './measure.js';
import { runProcess } from './process.js';
import { ms, printGoals, printTable, times } from './report.js';

const ROUNDS = 31;
const LIMIT_MS = 60;

/** The commands measured, packaged and as npm installs pvusb. */
const COMMANDS = ['--version', 'list', 'devices --json', 'usb-list u1', 'attach u1 4-1 --dry-run'];

const packaged = join(projectRoot(), 'build/package/root/usr/bin/pvusb');
const built = join(projectRoot(), 'dist/cli/main.cjs');

/** Measures on the simulated host whose environment this is. */
async function measure(host: NodeJS.ProcessEnv): Promise<Record<string, number>> {
  const kit = await fetchXenstored();
  // Nothing from this shell: NODE_OPTIONS and NODE_EXTRA_CA_CERTS slow Node down.
  const env = { PATH: process.env.PATH, ...host };
  const start =
    (program: string, ...args: readonly string[]): Contender =>
    () =>
      runProcess(program, args, env);
  const reader = { ...env, LD_LIBRARY_PATH: kit.libraries };
  const read = ['/local/domain/1/name'];
  return interleave<string>(ROUNDS, {
    'node -e 0': start(process.execPath, '-e', '0'),
    'xenstore-read': () => runProcess(join(kit.programs, 'xenstore-read'), read, reader),
    ...Object.fromEntries(
      COMMANDS.flatMap((command) => [
        [`pvusb ${command}`, start(packaged, ...command.split(' '))],
        [`from npm: pvusb ${command}`, start(process.execPath, built, ...command.split(' '))],
      ]),
    ),
  });
}

if (!existsSync(packaged)) throw new Error(`${packaged} does not exist: run "npm run package" first`);
const folder = mkdtempSync(join(tmpdir(), 'pvusb-bench-'));
const host = join(folder, 'host');
const sim = spawn(process.execPath, [built, 'sim', '--dir', host], { stdio: ['ignore', 'pipe', 'inherit'] });
let measured: Record<string, number>;
try {
  let said = '';
  while (!said.endsWith('ready\n')) said += String((await once(sim.stdout, 'data'))[0]);
  measured = await measure(
    Object.fromEntries([...said.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!])),
  );
} finally {
  sim.kill('SIGTERM');
  await once(sim, 'exit');
  rmSync(folder, { recursive: true });
}

const ratio = (us: number, to: string): string => times(us / measured[to]!);
printTable(`processes, from start to end (medians of ${ROUNDS} rounds, Node ${process.version})`, [
  ['what', 'time', 'x node -e 0', 'x xenstore-read'],
  ...Object.entries(measured).map(([name, us]) => [
    name,
    ms(us),
    ratio(us, 'node -e 0'),
    ratio(us, 'xenstore-read'),
  ]),
]);
const version = measured['pvusb --version']!;
const goal = `pvusb --version, packaged: at most ${LIMIT_MS} ms`;
process.exitCode = printGoals([{ goal, figure: ms(version), met: version <= LIMIT_MS * 1000 }]) ? 0 : 1;
