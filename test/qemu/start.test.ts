/** A QEMU for a guest that has none: its process, what is announced of it, and what is left when it ends or fails. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { systemClock } from '../../src/async/index.js';
import { execute, type Host, type Progress, startQemu, stopQemu } from '../../src/pvusb/index.js';
import { openQemuRunner, type QemuGuest, type QemuRunner } from '../../src/qemu/index.js';
import { labWorld, SimHost } from '../../src/sim/index.js';
import { hostOf } from '../../src/testing/index.js';
import { failure } from '../core/support/test-host.js';

const folder = await mkdtemp(join(tmpdir(), 'pvusb-qemu-'));
after(() => rm(folder, { recursive: true }));

const GUEST: QemuGuest = { domid: 7, name: 'u,7', memoryMib: 160 };

/** A program that is called like this and does this. */
async function program(name: string, ...lines: string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, ['#!/bin/sh', ...lines, ''].join('\n'));
  await chmod(path, 0o755);
  return path;
}

function places(program: string, more: { readonly systemdRoot?: string } = {}) {
  const systemdRoot = more.systemdRoot ?? join(folder, 'no-systemd');
  return {
    runRoot: join(folder, 'run'),
    logRoot: join(folder, 'log'),
    systemdRoot,
    programs: ['/none', program],
  };
}

describe('the process', () => {
  it('is what libxl would start, outlives who has started it, and is ended with what it leaves', async () => {
    const qemu = await program(
      'qemu',
      'echo "limit $XEN_QEMU_CONSOLE_LIMIT"; printf "%s\\n" "$@"; exec sleep 600',
    );
    const runner = openQemuRunner(systemClock, places(qemu));
    const started = await runner.start(GUEST);
    try {
      assert.match(started, /^\d+ \d+$/);
      assert.equal(runner.logOf(GUEST), join(folder, 'log/qemu-dm-7.log'), 'a name that is none of a file');
      assert.equal(runner.logOf({ domid: 7, name: 'u7' }), join(folder, 'log/qemu-dm-u7.log'));
      let log = '';
      while (!log.endsWith('-m\n160\n')) log = await readFile(runner.logOf(GUEST), 'utf8');
      assert.equal(
        log.replaceAll(folder, '').replaceAll('\n', ' '),
        'limit 1048576 -xen-domid 7 -no-shutdown ' +
          '-chardev socket,id=libxl-cmd,path=/run/qmp-libxl-7,server=on,wait=off -mon chardev=libxl-cmd,mode=control ' +
          '-chardev socket,id=libxenstat-cmd,path=/run/qmp-libxenstat-7,server=on,wait=off ' +
          '-mon chardev=libxenstat-cmd,mode=control -nodefaults -no-user-config -xen-attach -name guest=u,,7 ' +
          '-vnc none -display none -nographic -machine xenpv -m 160 ',
      );
      assert.equal(await runner.isAlive(started), true);
      const session = spawnSync('ps', ['-o', 'sid=', '-p', started.split(' ')[0]!], { encoding: 'utf8' });
      assert.equal(session.stdout.trim(), started.split(' ')[0], 'a session of its own');
      await writeFile(join(folder, 'run/qmp-libxl-7'), '');
    } finally {
      await runner.end(started, 7);
    }
    assert.equal(await runner.isAlive(started), false);
    await assert.rejects(readFile(join(folder, 'run/qmp-libxl-7')), { code: 'ENOENT' });
    await runner.end(started, 7);
  });

  it('is in a unit of its own where there is systemd', async () => {
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await mkdir(join(folder, 'systemd'));
    const qemu = await program('qemu-in-unit', 'exec sleep 600');
    // Takes what systemd-run is given: everything after "--" is started, and its pid is kept.
    await program(
      'bin/systemd-run',
      `printf "%s\\n" "$@" > ${folder}/asked`,
      'while [ "$1" != -- ]; do shift; done; shift',
      `"$@" > /dev/null 2>&1 & echo $! > ${folder}/pid`,
    );
    await program('bin/systemctl', `printf "%s\\n" "$@" >> ${folder}/asked; cat ${folder}/pid`);
    const path = process.env.PATH;
    process.env.PATH = `${bin}:${path}`;
    const runner = openQemuRunner(systemClock, places(qemu, { systemdRoot: join(folder, 'systemd') }));
    try {
      const started = await runner.start({ ...GUEST, name: '$HOME,7' });
      assert.equal(started.split(' ')[0], (await readFile(join(folder, 'pid'), 'utf8')).trim());
      await runner.end(started, 7);
    } finally {
      process.env.PATH = path;
    }
    const asked = await readFile(join(folder, 'asked'), 'utf8');
    for (const line of [
      '--collect',
      '--unit=pvusb-qemu-7.service',
      '--setenv=XEN_QEMU_CONSOLE_LIMIT=1048576',
      // What stands for a dollar sign in a unit (systemd.service(5)).
      'guest=$$HOME,,7',
    ])
      assert.ok(asked.split('\n').includes(line), line);
    assert.match(asked, /--property=StandardError=append:.*log\/qemu-dm-7\.log\n/);
    assert.match(asked, /show\n--property=MainPID\n--value\npvusb-qemu-7\.service\n/);
  });

  it('cannot be where no QEMU is installed', async () => {
    const runner = openQemuRunner(systemClock, places('/nowhere'));
    await assert.rejects(runner.start(GUEST), /no QEMU for Xen is installed/);
  });
});

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
      assert.match(refused.message, /is being started already/);
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
    assert.match(refused.message, /is being started already/);
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
    assert.deepEqual(seen(sim), before);
    assert.equal((await startQemu(host, { domain: 'u1' })).result.isChanged, true);
    assert.equal(runner.started.length, 1);
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
