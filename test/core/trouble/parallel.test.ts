/** Many attaches at once, from several processes, on a real xenstored: nothing is given twice, nothing is left over. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { publishSysfs, shortWorld, type World } from '../../../src/sim/index.js';
import type { DaemonKind } from '../../xenstored/daemon.js';
import { kitOrSkip } from '../../xenstored/fetch.js';
import { type Lab, openOnDaemon } from '../support/test-host.js';
import type { Ending, Job, Wish } from './parallel-worker.js';

const PROCESSES = 4;

/** Domains 1 to `domains`, each with a controller of `ports` ports unless 0; `devices` keyboards and audio devices. */
function crowd({ domains, ports, devices }: Record<'domains' | 'ports' | 'devices', number>): World {
  const domids = Array.from({ length: domains }, (_, i) => i + 1);
  return shortWorld({
    usbback: true,
    devices: Array.from({ length: devices }, (_, i) => ({
      busid: `1-${i + 1}`,
      id: '0627:0001',
      serial: `S${i + 1}`,
      interfaces: i % 4 === 0 ? ['01/01/00', '01/02/00'] : ['03/01/01'],
    })),
    domains: domids.map((domid) => ({ domid })),
    controllers: ports === 0 ? [] : domids.map((domid) => ({ domid, devid: 0, ports })),
  });
}

/** They serve all tests. */
const workers: ChildProcess[] = [];

/** Distributes the requests among processes that start together, and returns all results. */
async function rush(lab: Lab, socket: string, wishes: readonly Wish[]): Promise<Ending[]> {
  const folder = await mkdtemp(join(tmpdir(), 'pvusb-parallel-'));
  const published = await publishSysfs(lab.sim.usb, folder);
  // Of this machine's own processes, rules and domains nothing may be seen.
  const environment = {
    XENSTORED_PATH: socket,
    PVUSB_SYSFS: join(folder, 'sys'),
    PVUSB_PROC: join(folder, 'proc'),
    PVUSB_DEV: join(folder, 'dev'),
    PVUSB_RULES: join(folder, 'rules'),
    PVUSB_USERDATA: join(folder, 'xen'),
    PVUSB_QMP: folder,
  };
  try {
    const endings = workers.map(async (worker, at) => {
      const mine = wishes.filter((_wish, i) => i % PROCESSES === at);
      const job: Job = { environment, wishes: mine };
      worker.send(job);
      const [told] = await Promise.race([once(worker, 'message'), once(worker, 'exit')]);
      assert.ok(Array.isArray(told), `a process ended early: ${told}`);
      return told as Ending[];
    });
    return (await Promise.all(endings)).flat();
  } finally {
    await published.close();
    await rm(folder, { recursive: true });
  }
}

/** How often each code occurred; every place that was given. */
function tally(endings: readonly Ending[]) {
  const places = endings.flatMap((ending) => ('place' in ending ? [ending.place] : []));
  const codes: Record<string, number> = {};
  for (const ending of endings) if ('code' in ending) codes[ending.code] = (codes[ending.code] ?? 0) + 1;
  return { places, codes };
}

/** Fails on a result that is neither an attach nor a clean refusal. */
function assertClean(endings: readonly Ending[], allowed: readonly string[]): void {
  for (const ending of endings) {
    if ('code' in ending) assert.ok(allowed.includes(ending.code), `${ending.code}: ${ending.message}`);
  }
}

const { skip } = await kitOrSkip();
before(() => {
  const program = fileURLToPath(new URL('parallel-worker.js', import.meta.url));
  if (skip === false) workers.push(...Array.from({ length: PROCESSES }, () => fork(program)));
});
after(() => {
  for (const worker of workers) worker.disconnect();
});

if (skip !== false) test('two hundred parallel attaches', { skip });

for (const kind of ['c', 'o'] as const satisfies readonly DaemonKind[]) {
  describe(`from ${PROCESSES} processes on the daemon ${kind}`, { skip }, () => {
    const many = kind === 'c' ? 200 : 80;
    test(`${many} attaches at once take every port once and every device at most once`, async (t) => {
      const world = crowd({ domains: 4, ports: 4, devices: 20 });
      await using lab = await openOnDaemon(kind)({ world });
      // Each device is requested several times, by all domains.
      const wishes = Array.from({ length: many }, (_, i): Wish => {
        return { domain: (Math.floor(i / 20) % 4) + 1, devid: 0, device: `1-${(i % 20) + 1}` };
      });
      const endings = await rush(lab, lab.socket!, wishes);
      const { places, codes } = tally(endings);
      t.diagnostic(`${places.length} attached; ${JSON.stringify(codes)}`);
      assertClean(endings, ['already-attached', 'controller-full', 'port-in-use', 'conflict']);
      assert.equal(new Set(places).size, places.length, 'a port was given twice');
      await lab.assertSound();
      const held = (await lab.dump()).match(/\/port\/\d+ = "1-\d+"/g) ?? [];
      assert.equal(held.length, places.length, 'what was reported is what is');
      assert.equal(places.length, 16, 'every port is taken');
    });

    test('a domain without controllers gets as many as its devices need', async (t) => {
      await using lab = await openOnDaemon(kind)({ world: crowd({ domains: 1, ports: 0, devices: 10 }) });
      const wishes = Array.from({ length: 10 }, (_, i): Wish => ({ domain: 1, device: `1-${i + 1}` }));
      const endings = await rush(lab, lab.socket!, wishes);
      const { places, codes } = tally(endings);
      t.diagnostic(`${places.length} attached; ${JSON.stringify(codes)}`);
      assertClean(endings, []);
      await lab.assertSound();
      assert.equal(new Set(places).size, 10);
      assert.equal(new Set(places.map((place) => place.split('/')[1])).size, 2, 'two controllers');
    });
  });
}
