/** What the daemon costs as a process: its memory on a large host, and how often it wakes up while nothing happens. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/async/index.js';
import { simulatedEnvironment } from '../src/cli/commands/sim.js';
import { publishStore, publishSysfs, SimHost, type World } from '../src/sim/index.js';
import { projectRoot } from '../test/xenstored/fetch.js';
import { type Goal, printTable } from './report.js';

const DOMAINS = 1000;
const DEVICES = 200;
/** A bus has at most 127 addresses, and its root hub has one of them. */
const PER_BUS = 100;
const MEMORY_MB = 100;
/** After this a daemon that has just started has looked for what dead guests have left, 12 s after its start. */
const CALM_MS = 20_000;
const IDLE_MS = 60_000;

/** A host with 1,000 guests and 200 devices; the first guests have rules. */
function largeWorld(world: World): World {
  const buses = Array.from({ length: Math.ceil(DEVICES / PER_BUS) }, (_, i) => i + 1);
  const devices = buses.flatMap((bus) => [
    {
      busid: `usb${bus}`,
      vendorId: '1d6b',
      productId: '0002',
      deviceClass: '09',
      speedMbps: 480,
      maxChild: PER_BUS,
      interfaces: [{ number: 0, classes: '09/00/00' }],
    },
    ...Array.from({ length: PER_BUS }, (_, i) => ({
      busid: `${bus}-${i + 1}`,
      vendorId: '46f4',
      productId: '0001',
      deviceClass: '00',
      speedMbps: 480,
      serial: `S${bus}-${i + 1}`,
      interfaces: [{ number: 0, classes: '08/06/50' }],
    })),
  ]);
  return { ...world, devices };
}

/** Measures both, on a published simulation of that size; `worldOf` makes its guests. */
export async function measureProcess(worldOf: (domains: number) => World): Promise<Goal[]> {
  const dir = mkdtempSync(join(tmpdir(), 'pvusb-bench-'));
  const sim = await SimHost.create(largeWorld(worldOf(DOMAINS)));
  const parts = [await publishSysfs(sim.usb, dir), await publishStore(sim.store, join(dir, 'socket'))];
  const env = { ...process.env, ...simulatedEnvironment(dir) };
  try {
    const memoryMb = await withProcess(
      [join(projectRoot(), 'dist/cli/main.cjs'), 'serve'],
      env,
      async (pid) => {
        await systemClock.sleep(CALM_MS);
        return Number(/^VmRSS:\s+(\d+) kB/m.exec(statusOf(`${pid}`))![1]) / 1024;
      },
    );
    const wakeUps = await withProcess([join(import.meta.dirname, 'daemon-child.js')], env, async (pid) => {
      await systemClock.sleep(CALM_MS);
      const before = switchesOf(pid);
      await systemClock.sleep(IDLE_MS);
      return switchesOf(pid) - before;
    });
    const size = `${DOMAINS} domains, ${DEVICES} devices`;
    printTable(`the daemon as a process, ${size}`, [
      ['', 'figure'],
      ['resident memory', `${memoryMb.toFixed(0)} MB`],
      ['wake-ups in an idle minute', `${wakeUps}`],
    ]);
    return [
      {
        goal: `resident memory with ${size}: at most ${MEMORY_MB} MB`,
        figure: `${memoryMb.toFixed(0)} MB`,
        met: memoryMb <= MEMORY_MB,
      },
      { goal: 'wake-ups in an idle minute: none', figure: `${wakeUps}`, met: wakeUps === 0 },
    ];
  } finally {
    for (const part of parts) await part.close();
    await sim.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Runs a daemon until it watches, and then `measure`. */
async function withProcess<T>(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  measure: (pid: number) => Promise<T>,
): Promise<T> {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  try {
    await watches(child);
    return await measure(child.pid!);
  } finally {
    child.kill();
    await ended;
  }
}

async function watches(child: ChildProcess): Promise<void> {
  let text = '';
  for await (const chunk of child.stdout!.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += chunk;
    if (/watching/i.test(text)) {
      child.stdout!.resume();
      return;
    }
  }
  throw new Error(`The daemon ended: ${text}`);
}

function statusOf(task: string): string {
  return readFileSync(`/proc/${task}/status`, 'utf8');
}

/** How often its threads have gone to sleep: once after each time that one of them was woken (proc(5)). */
function switchesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, tid) => {
    const [, count] = /^voluntary_ctxt_switches:\s+(\d+)/m.exec(statusOf(`${pid}/task/${tid}`))!;
    return sum + Number(count);
  }, 0);
}
