import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { kitOrSkip, toolCommand } from '../xenstored/fetch.js';
import { Program, pvusb, shell, startSim, until } from './program.js';
import type { Env, Run } from './stage.js';

const { kit, skip } = await kitOrSkip();

describe('pvusb sim as a process', () => {
  let base: string;
  let sim: Program;
  let env: Env;
  before(async () => {
    base = mkdtempSync(join(tmpdir(), 'pvusb-process-'));
    ({ sim, env } = await startSim(join(base, 'host')));
  });
  after(() => {
    sim.child.kill('SIGKILL');
    rmSync(base, { recursive: true, force: true });
  });

  const done = async (...argv: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await pvusb(argv, env);
    assert.deepEqual([argv, status, stderr], [argv, 0, '']);
    return stdout;
  };

  const tool = (name: string, ...args: readonly string[]): Program =>
    new Program(...toolCommand(kit!, name, args), env);
  const tells = async (name: string, ...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await tool(name, ...args).ended();
    assert.deepEqual([name, args, status, stderr], [name, args, 0, '']);
    return stdout;
  };

  it('prints the export lines and then "ready"', () => {
    const dir = join(base, 'host');
    assert.equal(
      sim.stdout,
      `export XENSTORED_PATH=${dir}/socket\nexport PVUSB_SYSFS=${dir}/sys\nexport PVUSB_QMP=${dir}\nexport PVUSB_USERDATA=${dir}/userdata\nexport PVUSB_PROC=${dir}/proc\nexport PVUSB_DEV=${dir}/dev\nexport PVUSB_RULES=${dir}/rules\nexport PVUSB_STATE=${dir}/state\nexport PVUSB_AUDIT=${dir}/audit\nexport PVUSB_API_SOCKET=${dir}/api\nexport PVUSB_COMMAND_SOCKET=${dir}/command\nexport PVUSB_USBIDS=${dir}/usb.ids\nready\n`,
    );
    assert.equal(sim.stderr, '');
  });

  it("serves Debian's xenstore-utils", { skip }, async () => {
    assert.equal(await tells('xenstore-read', '/local/domain/1/name'), 'u1\n');
    assert.equal(await tells('xenstore-list', '/local/domain'), '0\n1\n2\n');
    assert.equal(await tells('xenstore-write', '/tool/a', '1', '/tool/a/b', 'two words'), '');
    assert.equal(await tells('xenstore-chmod', '/tool/a/b', 'n0', 'r1'), '');
    assert.equal(await tells('xenstore-ls', '-fp', '/tool/a'), '/tool/a/b = "two words"   (n0,r1)\n');
    assert.equal(await tells('xenstore-exists', '/tool/a'), '');
    assert.equal((await tool('xenstore-exists', '/tool/x').ended()).status, 1);
    assert.equal((await tool('xenstore-read', '/tool/x').ended()).status, 1);
    const watching = tool('xenstore-watch', '-n', '2', '/tool/a');
    await watching.says('/tool/a\n');
    await tells('xenstore-write', '/tool/a/c', '3');
    assert.deepEqual(await watching.ended(), { status: 0, stdout: '/tool/a\n/tool/a/c\n', stderr: '' });
    assert.equal(await tells('xenstore-rm', '/tool/a'), '');
    assert.equal((await tool('xenstore-exists', '/tool/a').ended()).status, 1);
  });

  it('has a sysfs that a shell can work on', async () => {
    const usb = join(base, 'host/sys/bus/usb');
    const intf = join(usb, 'devices/3-2:1.0');
    const driver = join(intf, 'driver');
    const does = async (command: string): Promise<Run> => shell(`cd "${usb}" && ${command}`, env);
    assert.equal((await does('cat devices/3-2/product')).stdout, 'QEMU USB Keyboard\n');
    assert.equal((await does('echo 3-2:1.0 > devices/3-2:1.0/driver/unbind')).status, 0);
    await until(intf, () => !existsSync(driver));
    assert.equal((await does('echo -n 3-2:1.0 > drivers/usbhid/bind')).status, 0);
    await until(intf, () => existsSync(driver));
    assert.equal(readlinkSync(driver), '../../drivers/usbhid');
  });

  it('is a host to other processes: attach, list, detach', async () => {
    assert.equal(
      await done('attach', 'u1', '4-1'),
      '4-1 is attached to port 1 of controller 0 of domain u1.\n',
    );
    assert.match(await done('list', 'u1'), /^ {4}port 1 {3}4-1 {7}46f4:0001 {2}QEMU USB HARDDRIVE$/m);
    assert.match(await done('usb-list', '1'), /^ {2}Port 1: Bus 004 Device 002$/m);
    if (kit) assert.equal(await tells('xenstore-read', '/local/domain/0/backend/vusb/1/0/port/1'), '4-1\n');
  });

  it('has the xenstored of another release of Xen', { skip }, async (t) => {
    const later = await startSim(join(base, 'later'), '--xenstore', '4.20');
    t.after(() => later.sim.child.kill('SIGKILL'));
    const path = `/tool/${'p'.repeat(2048)}`;
    const written = (where: Env): Promise<{ readonly status: number | null }> =>
      new Program(...toolCommand(kit!, 'xenstore-write', [path, '1']), where).ended();
    assert.equal((await written(env)).status, 1);
    assert.equal((await written(later.env)).status, 0);
  });

  it('is simulated again from its inventory, with the same devices and the same list', async (t) => {
    const world = join(base, 'world.json');
    writeFileSync(world, await done('inventory', '--json'));
    const again = await startSim(join(base, 'again'), '--world', world);
    t.after(() => again.sim.child.kill('SIGKILL'));
    for (const command of ['devices', 'list']) {
      assert.deepEqual(await pvusb([command], again.env), await pvusb([command], env));
    }
    again.sim.child.kill('SIGINT');
    assert.equal((await again.sim.ended()).status, 0);
    assert.ok(!existsSync(join(base, 'again')));
  });

  it('ends on SIGTERM with 0 and removes what it made', async () => {
    assert.equal(await done('detach', '4-1'), '4-1 is detached from port 1 of controller 0 of domain 1.\n');
    sim.child.kill('SIGTERM');
    assert.equal((await sim.ended()).status, 0);
    assert.ok(!existsSync(join(base, 'host')));
    const { status, stderr } = await pvusb(['devices'], env);
    assert.equal(status, 3);
    assert.match(
      stderr,
      /^pvusb: .*\nRun it in domain 0 with xenstored running\. \(xenstore-unreachable\)\n$/,
    );
  });
});

describe('pvusb demo --tour', () => {
  it('tells the whole story, also without a terminal', async () => {
    const { status, stdout, stderr } = await pvusb(['demo', '--tour']);
    assert.equal(status, 0, stderr);
    assert.equal(stderr, 'Looking again in 2 s, in case another program is still at work ...\n');
    const steps = [...stdout.matchAll(/^\$ pvusb (.*)$/gm)].map(([, command]) => command);
    assert.deepEqual(steps, [
      'devices',
      'attach u1 4-1 --dry-run',
      'attach u1 4-1',
      'list u1',
      'list u1',
      'doctor --fix',
      'attach u1 46f4:0001:LAB0002',
      'detach 1-1',
      'devices',
    ]);
    for (const says of [
      'Nothing was changed (--dry-run).',
      '4-1 is attached to port 1 of controller 0 of domain u1.',
      'Someone pulls the stick out.',
      'MISSING: pulled out',
      'Fixed; nothing is wrong now.',
      '1-1 is detached from port 1 of controller 0 of domain 1.',
      'That was the demo.',
    ]) {
      assert.ok(stdout.includes(says), says);
    }
  });
});
