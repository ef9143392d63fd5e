/** Every program in `examples/`, run on the simulated host: what it prints, and what it changes. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { labWorld, rebootDomain, shortWorld } from '../../src/sim/index.js';
import { namesIn, readProjectFile } from '../architecture/sources.js';
import { Program } from '../cli/program.js';
import { openStage, type Stage } from '../cli/stage.js';
import { controllerOf } from '../core/support/test-host.js';
import { projectRoot } from '../xenstored/fetch.js';

/** Starts a compiled example; it imports the built package by name. */
function start({ env }: Stage, name: string, ...args: readonly string[]): Program {
  return new Program(
    process.execPath,
    [join(projectRoot(), 'build', 'examples', `${name}.js`), ...args],
    env,
  );
}

/** Runs one to its end. */
const run = (stage: Stage, name: string, ...args: readonly string[]) => start(stage, name, ...args).ended();

/** Runs one that must succeed; returns its lines. */
async function linesOf(stage: Stage, name: string, ...args: readonly string[]): Promise<string[]> {
  const { status, stdout, stderr } = await run(stage, name, ...args);
  assert.deepEqual([status, stderr], [0, '']);
  return stdout.trimEnd().split('\n');
}

describe('the examples', () => {
  test('are all listed, and all tested here', () => {
    const programs = namesIn('examples').flatMap(({ name }) => (name.endsWith('.ts') ? name : []));
    const listed = [...readProjectFile('examples/README.md').matchAll(/^\| \[(.*)\]\(\1\) \|/gm)];
    assert.deepEqual(programs.toSorted(), listed.map(([, name]) => name).toSorted());
    const tests = readProjectFile('test/examples/examples.test.ts');
    assert.deepEqual(
      programs.filter((name) => !tests.includes(`test('${name.replace('.ts', '')}: `)),
      [],
    );
  });

  test('list-devices: says who has each device', async () => {
    await using stage = await openStage();
    await stage.done('attach', 'u1', '4-1');
    const lines = await linesOf(stage, 'list-devices');
    assert.equal(lines.length, 10);
    assert.ok(lines.includes('4-1  46f4:0001  QEMU USB HARDDRIVE: u1, port 1 of controller 0 (in-use)'));
    assert.ok(lines.includes('3-2  0627:0001  QEMU USB Keyboard: this host (usbhid)'));
    assert.ok(lines.includes('3-8  08e6:4433  QEMU USB CCID: nobody'));
  });

  test('attach-by-serial: prints the steps, then takes them', async () => {
    await using stage = await openStage();
    const lines = await linesOf(stage, 'attach-by-serial', 'u1', '46f4:0001:LAB0001');
    assert.equal(lines[0], 'attach 4-1 to port 1 of controller 0 of u1 (domain 1)');
    assert.ok(lines.includes('  5. unbind 4-1:1.0 from usb-storage'));
    assert.ok(lines.some((line) => line.startsWith('... ')));
    assert.equal(lines.at(-1), '4-1 is in port 1 of controller 0: in-use');
    assert.match(await stage.done('list', 'u1'), /port 1 {3}4-1 /);
  });

  test('attach-by-serial: says why it failed, and what to do', async () => {
    await using stage = await openStage();
    const before = await stage.look();
    const { status, stdout, stderr } = await run(stage, 'attach-by-serial', 'u1', '46f4:0001:NONE');
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, /^No USB device "46f4:0001:NONE" is plugged in\. .* \(no-such-device\)\n$/);
    assert.equal((await run(stage, 'attach-by-serial', 'u1')).status, 2);
    assert.equal(await stage.look(), before);
  });

  test('attach-by-serial: undoes on Ctrl-C what was done', async () => {
    await using stage = await openStage();
    // Directories that appear with a domain's first controller stay.
    await stage.done('controller', 'add', 'u1');
    await stage.done('controller', 'remove', 'u1', '0');
    const before = await stage.look();
    stage.sim.usbback!.manner = 'never';
    const attach = start(stage, 'attach-by-serial', 'u1', '46f4:0001:LAB0001');
    await attach.says('... let usbback take');
    attach.child.kill('SIGINT');
    const { status, stdout, stderr } = await attach.ended();
    assert.equal(status, 130);
    assert.match(stdout, /^\.\.\. undoing: /m);
    assert.match(stderr, /^Interrupted while .* \(aborted\)\n$/);
    assert.equal(await stage.look(), before);
  });

  test('follow-host: prints what changes, whoever changes it', async () => {
    await using stage = await openStage();
    const follow = start(stage, 'follow-host');
    await follow.says('Following a host with 10 devices and 2 guests.\n');
    await stage.done('attach', 'u1', '4-1');
    await follow.says('domain 1 has 4-1, in port 1 of controller 0\n');
    await stage.sim.usb.unplug('1-1');
    await follow.says('1-1 was pulled out\n');
    follow.child.kill('SIGINT');
    const { status, stderr } = await follow.ended();
    assert.deepEqual([status, stderr], [0, '']);
  });

  test('keep-devices: gives a rebooted guest its device again', async () => {
    const world = labWorld();
    await using stage = await openStage(world);
    await stage.done('attach', 'u1', '4-1');
    const keep = start(stage, 'keep-devices');
    await keep.says('"event":"watching"');
    const domain = world.domains.find(({ name }) => name === 'u1')!;
    await rebootDomain(stage.sim, {
      domain,
      domid: 9,
      controllers: [controllerOf({ domid: 1, devid: 0, portCount: 8 })],
    });
    await keep.says('"event":"returned"');
    keep.child.kill('SIGTERM');
    const { status, stdout, stderr } = await keep.ended();
    assert.deepEqual([status, stderr], [0, '']);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly event: string });
    assert.ok(events.some(({ event }) => event === 'gone'));
    assert.match(await stage.done('list', '9'), /port 1 {3}4-1 /);
  });

  test('doctor-cron: prints nothing when nothing is wrong, and fixes what is', async () => {
    // No device is idle: with one, the doctor looks again only after 11 seconds.
    const devices = [{ busid: '4-1', id: '46f4:0001', speed: 5000, interfaces: ['08/06/50'] }];
    await using stage = await openStage(shortWorld({ devices, domains: [{ domid: 1, name: 'u1' }] }));
    assert.deepEqual(await run(stage, 'doctor-cron'), { status: 0, stdout: '', stderr: '' });
    await stage.done('attach', 'u1', '4-1');
    await stage.sim.usb.unplug('4-1');
    assert.deepEqual(await linesOf(stage, 'doctor-cron'), [
      'Found: Port 1 of controller 0 of u1 (domain 1) holds 4-1, which has been pulled out.',
    ]);
    assert.match(await stage.done('list', 'u1'), /free: all ports/);
  });

  test('apply-wanted: gives a guest what it should have, once', async () => {
    await using stage = await openStage();
    const before = await stage.look();
    const planned = await linesOf(stage, 'apply-wanted', 'u1', '--dry-run');
    assert.equal(await stage.look(), before);
    const done = await linesOf(stage, 'apply-wanted', 'u1');
    assert.deepEqual(done, planned);
    assert.deepEqual(done, [
      'controller 0: added (4 ports)',
      'controller 0: attached (4-1, port 1)',
      'controller 0: attached (3-4, port 2)',
    ]);
    assert.deepEqual(await linesOf(stage, 'apply-wanted', 'u1'), ['u1 already has what it should have.']);
  });

  test('inspect-plan: executes a plan unless the host needs the device', async () => {
    await using stage = await openStage();
    const before = await stage.look();
    const kept = await run(stage, 'inspect-plan', 'u1', '3-2');
    assert.deepEqual(kept, { status: 1, stdout: '', stderr: '3-2 stays with the host: usbhid uses it.\n' });
    assert.equal(await stage.look(), before);
    const lines = await linesOf(stage, 'inspect-plan', 'u1', '4-1');
    assert.ok(lines.some((line) => line.trim().startsWith('undo: ')));
    assert.equal(lines.at(-1), 'Done: 7 steps.');
    assert.match(await stage.done('list', 'u1'), /port 1 {3}4-1 /);
  });

  test('watch-path: prints the value at a path, and its changes', async () => {
    await using stage = await openStage();
    const watch = start(stage, 'watch-path', '/local/domain/1/name');
    await watch.says('/local/domain/1/name = "u1"\n');
    await stage.sim.store.handle(0).write('/local/domain/1/name', 'renamed');
    await watch.says('/local/domain/1/name = "renamed"\n');
    watch.child.kill('SIGINT');
    assert.equal((await watch.ended()).status, 0);
  });
});
