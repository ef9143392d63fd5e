/** `pvusb demo --tour`: the main job, run with the real commands on a simulated host. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SimHost, World } from '../../sim/index.js';
import type { Terminal } from '../terminal.js';
import { simulatedEnvironment } from './sim.js';

/** Runs one command line of pvusb on a terminal. */
export type Run = (terminal: Terminal, argv: readonly string[]) => Promise<number>;

/** One scene: what is told, and what is done. */
interface Scene {
  readonly story: string;
  readonly argv?: readonly string[];
  readonly happens?: (host: SimHost) => Promise<void>;
  /** What the command is expected to answer. */
  readonly exitStatus?: number;
}

const SCENES: readonly Scene[] = [
  { story: 'The USB devices of the host:', argv: ['devices'] },
  {
    story: 'What would lending the stick in socket 4-1 to the guest u1 do?',
    argv: ['attach', 'u1', '4-1', '--dry-run'],
  },
  { story: 'Lend it:', argv: ['attach', 'u1', '4-1'] },
  { story: 'The guest has it now:', argv: ['list', 'u1'] },
  {
    story: 'Someone pulls the stick out.',
    happens: async (host) => {
      await host.unplug('4-1');
      await host.idle();
    },
  },
  { story: 'It is shown as missing:', argv: ['list', 'u1'] },
  { story: 'The doctor sees it too, and fixes it:', argv: ['doctor', '--fix'] },
  {
    story: 'Another stick, this time by its ids and serial number:',
    argv: ['attach', 'u1', '46f4:0001:LAB0002'],
  },
  { story: 'And back to the host:', argv: ['detach', '1-1'] },
  { story: 'The host has it again, with its own driver:', argv: ['devices'] },
];

/** Without the device that has no driver: the doctor would take long over it. */
function demoWorld(world: World): World {
  return { ...world, devices: world.devices.filter(({ busid }) => busid !== '3-8') };
}

/** Runs the tour; gives the exit status of the first command that did not end as expected. */
export async function runTour(terminal: Terminal, run: Run): Promise<number> {
  const { SimHost, labWorld, publishStore, publishSysfs } = await import('../../sim/index.js');
  const { simError } = await import('./sim-errors.js');
  const dir = await mkdtemp(join(tmpdir(), 'pvusb-demo-')).catch((error: unknown) => {
    throw simError(error, tmpdir());
  });
  const host = await SimHost.create(demoWorld(labWorld()));
  const parts: { close(): Promise<void> }[] = [host];
  try {
    parts.push(await publishSysfs(host.usb, dir));
    parts.push(await publishStore(host.store, join(dir, 'socket')));
    const env = { ...terminal.env, ...simulatedEnvironment(dir), PVUSB_HOST: undefined };
    terminal.out('A simulated Xen host, made from a recorded one, and the guests u1 and u2.\n');
    for (const scene of SCENES) {
      terminal.out(`\n${scene.story}\n`);
      await scene.happens?.(host);
      if (!scene.argv) continue;
      terminal.out(`\n$ pvusb ${scene.argv.join(' ')}\n`);
      const exitStatus = await run({ ...terminal, env }, scene.argv);
      if (exitStatus !== (scene.exitStatus ?? 0)) return exitStatus;
    }
    terminal.out('\nThat was the demo. On a Xen host the same commands do this for real.\n');
    return 0;
  } catch (error) {
    throw simError(error, dir);
  } finally {
    for (const part of parts.reverse()) await part.close();
    await rm(dir, { recursive: true, force: true });
  }
}
