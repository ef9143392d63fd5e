/** A real process is killed in the middle of an operation; what it left behind is fixed. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { attachDevice, detachDevice, doctor } from '../../src/pvusb/index.js';
import { publishStore, publishSysfs, type SimHost } from '../../src/sim/index.js';
import { startPvusb } from '../cli/program.js';
import { driversOf } from '../core/support/invariants.js';
import { endOf } from '../support/hang.js';
import { TRIES_ALL } from './faults.js';
import { invariantsOf } from './invariants-of.js';
import { SavedFolder } from './saved-folder.js';
import { smallWorld } from './worlds.js';

const BUSID = '3-6';

/** All have drivers: for one without, the doctor asks the kernel, and waits for its answer. */
const BUSIDS = [BUSID, '1-1', '2-1'];

/** Where a process is killed: at its n-th request to the store, driver change, or change in libxl's folder. */
interface Moment {
  readonly what: 'request' | 'driver' | 'file';
  readonly at: number;
}

/** How often each of them occurred. */
type Seen = Readonly<Record<Moment['what'], number>>;

/** What is killed in the middle. */
const OPERATIONS = { attach: ['attach', '1', BUSID], detach: ['detach', BUSID] } as const;
type Operation = keyof typeof OPERATIONS;

/** Runs an operation as a process of its own, which is killed at a given moment, or ends before. */
async function killed(stage: Stage, operation: Operation, moment?: Moment) {
  const { sim, folder, dir } = stage;
  const socket = join(dir, 'xenstored.sock');
  const sysfs = await publishSysfs(sim.usb, dir);
  const store = await publishStore(sim.store, socket);
  const seen = { request: 0, driver: 0, file: 0 };
  const count = (what: Moment['what']): boolean => {
    const now = seen[what]++;
    if (moment?.what !== what || moment.at !== now) return false;
    victim.child.kill('SIGKILL');
    return true;
  };
  sim.store.intercept = () => (count('request') ? 'hold' : 'pass');
  const stop = sim.usb.onChange(({ kind }) => {
    if (kind === 'bind' || kind === 'unbind') count('driver');
  });
  folder.onChange(() => count('file'));
  const victim = startPvusb(OPERATIONS[operation], {
    XENSTORED_PATH: socket,
    PVUSB_SYSFS: join(dir, 'sys'),
    PVUSB_USERDATA: folder.path,
    PVUSB_PROC: join(dir, 'proc'),
    PVUSB_RULES: `${folder.path}/rules`,
    PVUSB_QMP: dir,
  });
  const end = await endOf(victim.child);
  stop();
  folder.onChange(() => undefined);
  delete sim.store.intercept;
  while (sim.store.openConnections > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  // What it wrote into a pipe may still be on its way to the kernel.
  await new Promise((resolve) => setTimeout(resolve, 5));
  await sim.idle();
  await store.close();
  await sysfs.close();
  assert.ok(end === 0 || end === 'SIGKILL', `the victim ended with ${end}: ${victim.stderr}`);
  return { killed: end === 'SIGKILL', ...seen };
}

/** Of the requests, one in so many: in the first half, which only looks, and in the second. */
const [LOOKING, CHANGING] = TRIES_ALL ? [5, 1] : [46, 17];

/** Every change of a driver or file; some of the requests. */
function momentsOf(seen: Seen): Moment[] {
  const changes = (['driver', 'file'] as const).flatMap((what) =>
    Array.from({ length: seen[what] }, (_, at): Moment => ({ what, at })),
  );
  const from = Math.floor(seen.request * 0.55);
  const requests: Moment[] = [];
  for (let at = 0; at < seen.request; at += at < from ? LOOKING : CHANGING)
    requests.push({ what: 'request', at });
  return [...changes, ...requests];
}

/** A host with its files in a folder of their own. */
class Stage implements AsyncDisposable {
  readonly sim: SimHost;
  readonly dir = mkdtempSync(join(tmpdir(), 'pvusb-kill-'));
  readonly folder: SavedFolder;

  private constructor(sim: SimHost) {
    this.sim = sim;
    this.folder = new SavedFolder(sim, join(this.dir, 'libxl'));
  }

  static async before(operation: Operation): Promise<Stage> {
    return new Stage(await smallWorld({ lent: operation === 'attach' ? {} : { 1: BUSID }, busids: BUSIDS }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.folder.close();
    await this.sim.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** The undisturbed operation: what can be counted. */
async function uninterrupted(operation: Operation): Promise<Seen> {
  await using stage = await Stage.before(operation);
  const whole = await killed(stage, operation);
  assert.equal(whole.killed, false);
  assert.deepEqual([...stage.folder.violations(), ...stage.folder.others], []);
  return whole;
}

describe('a process that is killed', () => {
  let kills = 0;
  let halves = 0;
  for (const operation of ['attach', 'detach'] as const) {
    it(`leaves what the doctor fixes, in the middle of an ${operation}`.replace('an d', 'a d'), async (t) => {
      const natural = driversOf((await smallWorld({ lent: {}, busids: BUSIDS })).usb);
      const whole = await uninterrupted(operation);
      for (const moment of momentsOf(whole)) {
        const name = `killed at ${moment.what} ${moment.at}`;
        await using stage = await Stage.before(operation);
        const { sim, folder } = stage;
        if ((await killed(stage, operation, moment)).killed) kills++;
        assert.equal(sim.store.openTransactions, 0, name);
        halves += folder.others.filter((file) => file.startsWith('userdata-n.')).length;
        assert.deepEqual(await folder.locksLeft(), [], name);
        // A process is rarely killed just there: whatever the moment was, the next one finds a half-written file.
        folder.leaveHalfWritten(1);
        const { failures } = await folder.use((host) => doctor(host, { fix: true, settleMs: 0 }));
        await sim.idle();
        const wrong = async () => [...(await invariantsOf(sim, natural)), ...folder.violations()];
        assert.deepEqual([...failures, ...(await wrong())], [], name);
        await folder.use(async (host) => {
          await detachDevice(host, { device: BUSID }).catch(() => undefined);
          for (const domain of [1, 2]) {
            await attachDevice(host, { domain, device: BUSID }, { watchMs: 0 });
            await detachDevice(host, { device: BUSID });
          }
        });
        assert.deepEqual([...(await wrong()), ...folder.others], [], `${name}, used again`);
      }
      t.diagnostic(
        `${whole.request} requests, ${whole.driver} driver changes, ${whole.file} in libxl's folder`,
      );
    });
  }
  after(() => {
    process.stdout.write(`killed processes: ${kills}, ${halves} with a half-written file\n`);
  });
});
