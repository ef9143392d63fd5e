/** A QEMU for a guest that has none: what is announced of it, and what is left when it ends or fails. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { execute, type Host, type Progress, startQemu, stopQemu } from '../../src/pvusb/index.js';
import type { QemuGuest, QemuRunner } from '../../src/qemu/index.js';
import { labWorld, SimHost } from '../../src/sim/index.js';
import { hostOf } from '../../src/testing/index.js';
import { failure } from '../core/support/test-host.js';

/** QEMUs that do as they are told. */
class Runner implements QemuRunner {
  readonly started: QemuGuest[] = [];
  readonly ended: string[] = [];
  #isAlive = false;
  readonly #begin: (guest: QemuGuest) => Promise<boolean>;

  /** @param begin what it does when it begins; whether it lives on */
  constructor(begin: (guest: QemuGuest) => Promise<boolean>) {
    this.#begin = begin;
  }

  async start(guest: QemuGuest): Promise<string> {
    this.started.push(guest);
    this.#isAlive = await this.#begin(guest);
    return '4711 99';
  }

  async isAlive(): Promise<boolean> {
    return this.#isAlive;
  }

  async find(domid: number): Promise<string[]> {
    return this.#isAlive && this.started.some((guest) => guest.domid === domid) ? ['4711 99'] : [];
  }

  async end(process: string): Promise<void> {
    this.ended.push(process);
    this.#isAlive = false;
  }

  logOf({ name }: { readonly name: string }): string {
    return `/var/log/xen/qemu-dm-${name}.log`;
  }
}

async function stage(begin: (sim: SimHost, host: Host, guest: QemuGuest) => Promise<boolean>) {
  const sim = await SimHost.create({ ...labWorld(), usbback: false });
  const plain = hostOf(sim);
  const runner = new Runner((guest) => begin(sim, plain, guest));
  return { sim, host: { ...plain, qemuRunner: runner } satisfies Host, runner };
}

/** What QEMU writes when it runs. */
async function announce(host: Host, { domid }: QemuGuest): Promise<boolean> {
  const path = `/local/domain/0/device-model/${domid}`;
  await host.xenstore.mkdir(`${path}/backends/qusb`);
  await host.xenstore.write(`${path}/state`, 'running');
  return true;
}

const seen = (sim: SimHost): string[] =>
  sim.store
    .dump()
    .split('\n')
    .filter((line) => /device-model|image|pvusb/.test(line));

describe('qemu start', () => {
  it('gives a guest a QEMU that libxl ends with it, and qemu stop takes it away', async () => {
    const { sim, host, runner } = await stage((_, plain, guest) => announce(plain, guest));
    const before = seen(sim);
    const dry = await startQemu(host, { domain: 'u1' }, { dryRun: true });
    assert.deepEqual(
      dry.plan.steps.map(({ act }) => act.do),
      ['commit', 'start-qemu'],
    );
    assert.deepEqual(seen(sim), before);

    const { result } = await startQemu(host, { domain: 'u1' });
    assert.deepEqual(result, { domid: 1, isChanged: true });
    assert.deepEqual(
      runner.started.map(({ domid, name, memoryMib }) => [domid, name, memoryMib]),
      [[1, 'u1', 160]],
    );
    const after = seen(sim).filter((line) => !before.includes(line));
    assert.ok(after.includes('/local/domain/1/image/device-model-pid = "4711"   (n0,r1)'), after.join('\n'));
    assert.ok(after.includes('/libxl/1/pvusb/qemu = "4711 99"   (n0)'), after.join('\n'));
    assert.deepEqual((await startQemu(host, { domain: 'u1' })).result, { domid: 1, isChanged: false });
    assert.equal(runner.started.length, 1);

    await stopQemu(host, { domain: 'u1' });
    assert.deepEqual(runner.ended, ['4711 99']);
    assert.deepEqual(seen(sim), before);
    assert.deepEqual((await stopQemu(host, { domain: 'u1' })).result, { domid: 1, isChanged: false });
    host.close();
    await sim.close();
  });

  it('leaves nothing behind when QEMU ends at once, or the guest dies meanwhile', async () => {
    for (const [begin, code, says] of [
      [async () => false, 'qemu-not-started', /it has ended: see \/var\/log\/xen\/qemu-dm-u1\.log/],
      [
        async (sim: SimHost) => {
          await sim.killDomain(1);
          return true;
        },
        'domain-gone',
        /Domain 1 has died/,
      ],
    ] as const) {
      const { sim, host, runner } = await stage(begin);
      const refused = await failure(() => startQemu(host, { domain: 'u1' }));
      assert.equal(refused.code, code);
      assert.match(refused.message, says);
      assert.deepEqual(runner.ended, ['4711 99']);
      assert.deepEqual(
        seen(sim).filter((line) => /device-model\/1|domain\/1\/image|libxl\/1/.test(line)),
        [],
      );
      host.close();
      await sim.close();
    }
  });

  it('is refused where hosts are simulated, before anything is written', async () => {
    const { sim, host } = await stage(async () => true);
    const { qemuRunner: _, ...simulated } = host;
    const before = seen(sim);
    for (const dryRun of [true, false]) {
      const refused = await failure(() => startQemu(simulated, { domain: 'u1' }, { dryRun }));
      assert.equal(refused.code, 'qemu-not-started');
      assert.equal(refused.message, 'A QEMU for u1 (domain 1) could not be started: this host is simulated.');
    }
    assert.deepEqual(seen(sim), before);
    host.close();
    await sim.close();
  });

  it('is started once, whoever else starts one at the same time', async () => {
    const { sim, host, runner } = await stage(async (_, plain, guest) => {
      const refused = await failure(() => startQemu(second, { domain: 'u1' }));
      assert.equal(refused.code, 'qemu-not-started');
      assert.match(refused.message, /is already being started/);
      return announce(plain, guest);
    });
    const other = new Runner(async () => true);
    const second = { ...hostOf(sim), qemuRunner: other };
    const { result } = await startQemu(host, { domain: 'u1' });
    assert.equal(result.isChanged, true);
    assert.deepEqual([runner.started.length, runner.ended, other.started, other.ended], [1, [], [], []]);
    assert.deepEqual((await startQemu(second, { domain: 'u1' })).result.isChanged, false);
    second.close();
    host.close();
    await sim.close();
  });

  it('says who is at it when another one begins in the same moment', async () => {
    const { sim, host, runner } = await stage((_, plain, guest) => announce(plain, guest));
    const other = { ...hostOf(sim), qemuRunner: new Runner(async () => true) };
    const { plan } = await startQemu(other, { domain: 'u1' }, { dryRun: true });
    let claiming: Promise<void> | undefined;
    const onStep = (): void => {
      claiming ??= execute(other, { ...plan, steps: plan.steps.slice(0, 1) });
    };
    const refused = await failure(() => startQemu(host, { domain: 'u1' }, { onStep }));
    await claiming;
    assert.equal(refused.code, 'qemu-not-started');
    assert.match(refused.message, /is already being started/);
    assert.deepEqual(runner.started, []);
    other.close();
    host.close();
    await sim.close();
  });

  it('leaves nothing behind when it is interrupted before QEMU begins', async () => {
    const { sim, host, runner } = await stage((_, plain, guest) => announce(plain, guest));
    const before = seen(sim);
    const interrupt = new AbortController();
    const onStep = ({ step, phase }: Progress): void => {
      if (step.act.do === 'commit' && phase === 'done') interrupt.abort();
    };
    const refused = await failure(() =>
      startQemu(host, { domain: 'u1' }, { signal: interrupt.signal, onStep }),
    );
    assert.equal(refused.code, 'aborted');
    assert.deepEqual([runner.started, seen(sim)], [[], before]);
    assert.equal((await startQemu(host, { domain: 'u1' })).result.isChanged, true);
    host.close();
    await sim.close();
  });

  it('can be begun again after one that was killed, once that was stopped', async () => {
    const { sim, host, runner } = await stage((_, plain, guest) => announce(plain, guest));
    const before = seen(sim);
    const { plan } = await startQemu(host, { domain: 'u1' }, { dryRun: true });
    await execute(host, { ...plan, steps: plan.steps.slice(0, 1) });
    const refused = await failure(() => startQemu(host, { domain: 'u1' }));
    assert.equal(refused.code, 'qemu-not-started');
    assert.match(refused.remedy, /pvusb qemu stop 1/);
    await stopQemu(host, { domain: 'u1' });
    assert.deepEqual([seen(sim), runner.ended], [before, []]);

    // Killed a little later: QEMU runs, and xenstore does not say so.
    await execute(host, { ...plan, steps: plan.steps.slice(0, 1) });
    await runner.start({ domid: 1, name: 'u1', memoryMib: 160 });
    await stopQemu(host, { domain: 'u1' });
    assert.deepEqual(
      [seen(sim).filter((line) => /libxl\/1|image|device-model\/1/.test(line)), runner.ended],
      [before.filter((line) => /libxl\/1|image|device-model\/1/.test(line)), ['4711 99']],
    );
    assert.equal((await startQemu(host, { domain: 'u1' })).result.isChanged, true);
    assert.equal(runner.started.length, 2);
    host.close();
    await sim.close();
  });

  it('is refused for guests whose QEMU is not ours', async () => {
    const { sim, host } = await stage((_, plain, guest) => announce(plain, guest));
    assert.equal((await failure(() => startQemu(host, { domain: 0 }))).code, 'invalid-argument');
    assert.equal((await failure(() => startQemu(host, { domain: 'none' }))).code, 'no-such-domain');
    const { qemuRunner: _, ...without } = host;
    assert.equal((await failure(() => startQemu(without, { domain: 'u1' }))).code, 'qemu-not-started');
    await startQemu(host, { domain: 'u1' });
    await host.xenstore.rm('/libxl/1/pvusb');
    const refused = await failure(() => stopQemu(host, { domain: 'u1' }));
    assert.equal(refused.code, 'qemu-in-use');
    assert.match(refused.message, /was not started by pvusb/);
    host.close();
    await sim.close();
  });
});
