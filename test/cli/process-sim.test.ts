/** Simulated hosts as processes: changed while they run, killed and started again, without mkfifo in PATH. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Program, pvusb, startPvusb, startSim } from './program.js';
import { type Env, runPvusb } from './stage.js';

describe('a simulated host that runs', () => {
  let base: string;
  let dir: string;
  let sim: Program;
  let env: Env;
  before(async () => {
    base = mkdtempSync(join(tmpdir(), 'pvusb-changes-'));
    dir = join(base, 'host');
    ({ sim, env } = await startSim(dir, '--qemu'));
  });
  after(() => {
    sim.child.kill('SIGKILL');
    rmSync(base, { recursive: true, force: true });
  });

  const done = async (...argv: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await runPvusb(argv, { env });
    assert.deepEqual([argv, status, stderr], [argv, 0, '']);
    return stdout;
  };

  it('is changed by commands: devices come and go, QEMUs and guests die', async () => {
    await done('attach', 'u2', '4-1');
    assert.equal(await done('sim', 'unplug', '4-1'), '4-1 is pulled out.\n');
    assert.match(await done('list', 'u2'), /MISSING/);
    assert.equal(await done('sim', 'plug', '4-1', '--dir', dir), '4-1 is plugged in.\n');
    assert.equal(
      await done('sim', '--dir', dir, 'unplug', '3-5'),
      '3-5 is pulled out, with what is behind it: 3-5.1.\n',
    );
    const plugged = await done('sim', 'plug', '3-5', '--into', '3-9', '--json');
    assert.deepEqual(JSON.parse(plugged), { busids: ['3-9', '3-9.1'] });
    const world = join(base, 'world.json');
    const device = { busid: '1-2', id: '1234:5678', speed: 480, interfaces: ['08/06/50'] };
    writeFileSync(world, JSON.stringify({ format: 'pvusb-world-1', devices: [device] }));
    await done('sim', 'plug', '1-2', '--world', world);
    assert.match(await done('devices'), /^1-2 .* 1234:5678 /m);
    assert.equal(await done('sim', 'kill-qemu', 'u2'), 'The QEMU of domain u2 is dead.\n');
    assert.match((await runPvusb(['attach', 'u2', '1-1'], { env })).stderr, /\(qemu-dead\)\n$/);
    assert.equal(await done('sim', 'kill-guest', 'u2'), 'Domain u2 is gone.\n');
    assert.equal(await done('sim', 'kill-guest', '3', '--leave-records'), 'Domain 3 is gone.\n');
    assert.doesNotMatch(await done('list'), /"u2"/);
  });

  it('refuses what cannot happen there, with an error like all others', async () => {
    for (const [argv, status, code] of [
      [['plug', '1-1'], 1, 'simulation-refused'],
      [['plug', '9-9'], 1, 'no-such-device'],
      [['plug', '9-9', '--world', join(base, 'missing')], 1, 'invalid-configuration'],
      [['kill-guest', 'nobody'], 1, 'no-such-domain'],
      [['unplug', '1-1', '--dir', base], 3, 'simulation-failed'],
    ] as const) {
      const told = await runPvusb(['sim', ...argv, '--json'], { env });
      assert.deepEqual([argv, told.status, JSON.parse(told.stdout).error.code], [argv, status, code]);
      assert.match(told.stderr, /^pvusb: [^\n]*\.\n[A-Z][^\n]*\. \([a-z-]+\)\n$/);
    }
  });

  it('that is killed is started again in its folder, without any cleaning', async () => {
    sim.child.kill('SIGKILL');
    await sim.ended().catch(() => undefined);
    assert.ok(existsSync(join(dir, 'socket')));
    // Nor does a file get in the way that is not its own.
    mkdirSync(join(dir, 'userdata'));
    ({ sim, env } = await startSim(dir));
    assert.match(await done('devices'), /^4-1 /m);
    await done('sim', 'unplug', '4-1');
    sim.child.kill('SIGTERM');
    assert.equal((await sim.ended()).status, 0);
    assert.deepEqual(readdirSync(dir), ['userdata']);
  });

  it('needs no mkfifo in PATH', async () => {
    const other = startPvusb(['sim', '--dir', join(base, 'other')], { PATH: '/nonexistent' });
    await other.says('ready\n');
    other.child.kill('SIGTERM');
    assert.deepEqual((await other.ended()).stderr, '');
    const { status, stderr } = await pvusb(['demo'], { PATH: '/nonexistent', TMPDIR: join(base, 'none') });
    assert.equal(status, 2);
    assert.match(stderr, /^pvusb: .*\/none cannot be used: ENOENT.*\n.* \(invalid-argument\)\n$/);
  });
});
