/** A real process is killed in the middle of an operation; what it left is mended. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { attachDevice, detachDevice, doctor } from '../../src/pvusb/index.js';
import { publishStore, publishSysfs, type SimHost } from '../../src/sim/index.js';
import { driversOf } from '../core/invariants.js';
import { invariantsOf } from './invariants-of.js';
import { unharmed } from './unharmed.js';
import type { Order } from './victim.js';
import { smallWorld } from './worlds.js';

const VICTIM = fileURLToPath(new URL('./victim.js', import.meta.url));
const BUSID = '3-6';

/** Longest time for one victim; a minute would be a hang. */
const VICTIM_MS = 20_000;

/** Where a process is killed: at its n-th request to the store, or at the n-th change of a driver. */
interface Moment {
  readonly what: 'request' | 'driver';
  readonly at: number;
}

/** A victim is started while the one before it dies: starting takes longest. */
class Victims {
  #next: ChildProcess = fork(VICTIM);

  async take(): Promise<ChildProcess> {
    const victim = this.#next;
    this.#next = fork(VICTIM);
    if (!victim.connected) throw new Error('a victim ended before its time');
    return victim;
  }

  close(): void {
    this.#next.kill('SIGKILL');
  }
}

/** Runs the operation in a victim, killed at a moment; false when it came to its end before. */
async function killed(sim: SimHost, victims: Victims, operation: Order['operation'], moment?: Moment) {
  const dir = mkdtempSync(join(tmpdir(), 'pvusb-kill-'));
  const socket = join(dir, 'xenstored.sock');
  const sysfs = await publishSysfs(sim.usb, dir);
  const store = await publishStore(sim.store, socket);
  const victim = await victims.take();
  const seen = { request: 0, driver: 0 };
  const count = (what: Moment['what']): boolean => {
    const now = seen[what]++;
    if (moment?.what !== what || moment.at !== now) return false;
    victim.kill('SIGKILL');
    return true;
  };
  sim.store.intercept = () => (count('request') ? 'hold' : 'pass');
  const stop = sim.usb.onChange(({ kind }) => {
    if (kind === 'bind' || kind === 'unbind') count('driver');
  });
  const order: Order = { socket, sysfsRoot: join(dir, 'sys'), operation, busid: BUSID };
  victim.send(order);
  const late = setTimeout(() => victim.kill('SIGKILL'), VICTIM_MS);
  const [code, signal] = (await once(victim, 'exit')) as [number | null, string | null];
  clearTimeout(late);
  stop();
  delete sim.store.intercept;
  while (sim.store.openConnections > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  // What it wrote into a pipe may still be on its way into the kernel.
  await new Promise((resolve) => setTimeout(resolve, 5));
  await sim.idle();
  await store.close();
  await sysfs.close();
  rmSync(dir, { recursive: true, force: true });
  assert.ok(code === 0 || signal === 'SIGKILL', `the victim ended with ${code} and ${signal}`);
  return { killed: signal !== null, ...seen };
}

/** Every driver's change; of the requests every one that changes something is within a few of these. */
function momentsOf(seen: { readonly request: number; readonly driver: number }): Moment[] {
  const drivers = Array.from({ length: seen.driver }, (_, at): Moment => ({ what: 'driver', at }));
  const from = Math.floor(seen.request * 0.55);
  const requests: Moment[] = [];
  for (let at = 0; at < seen.request; at += at < from ? 15 : 4) requests.push({ what: 'request', at });
  return [...drivers, ...requests];
}

describe('a process that is killed', () => {
  const victims = new Victims();
  let kills = 0;
  for (const operation of ['attach', 'detach'] as const) {
    it(`leaves what the doctor mends, in the middle of an ${operation}`.replace('an d', 'a d'), async (t) => {
      const natural = driversOf((await smallWorld({ lent: {} })).usb);
      const world = () => smallWorld({ lent: operation === 'attach' ? {} : { 1: BUSID } });
      const whole = await killed(await world(), victims, operation);
      assert.equal(whole.killed, false);
      for (const moment of momentsOf(whole)) {
        const name = `killed at ${moment.what} ${moment.at}`;
        const sim = await world();
        if ((await killed(sim, victims, operation, moment)).killed) kills++;
        assert.equal(sim.store.openTransactions, 0, name);
        const { failures } = await unharmed(sim, (host) => doctor(host, { fix: true, settleMs: 0 }));
        await sim.idle();
        const wrong = () => invariantsOf(sim, natural);
        assert.deepEqual([...failures, ...(await wrong())], [], name);
        await unharmed(sim, async (host) => {
          await detachDevice(host, { device: BUSID }).catch(() => undefined);
          await attachDevice(host, { domain: 2, device: BUSID });
          await detachDevice(host, { device: BUSID });
        });
        assert.deepEqual(await wrong(), [], `${name}, used again`);
        await sim.close();
      }
      t.diagnostic(`${whole.request} requests, ${whole.driver} changes of drivers`);
    });
  }
  after(() => {
    victims.close();
    process.stdout.write(`killed processes: ${kills}\n`);
  });
});
