import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { labWorld, publishStore, SimHost } from '../../src/sim/index.js';
import { ERROR_TEXT, runPvusb } from './stage.js';

describe('pvusb sim', () => {
  let base: string;
  before(() => {
    base = mkdtempSync(join(tmpdir(), 'pvusb-sim-'));
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  const file = (name: string, text: string): string => {
    writeFileSync(join(base, name), text);
    return join(base, name);
  };

  /** Runs it with a terminal that stops it at once: it serves, and ends. */
  const served = (...argv: readonly string[]) => runPvusb(['sim', ...argv], { signal: AbortSignal.abort() });

  async function refuses(argv: readonly string[], says: string, code = 'invalid-argument'): Promise<void> {
    const { status, stdout, stderr } = await served(...argv);
    assert.deepEqual([status, stdout], [code === 'invalid-argument' ? 2 : 1, ''], stderr);
    assert.equal(ERROR_TEXT.exec(stderr)?.[1], code, stderr);
    assert.ok(stderr.includes(says), stderr);
  }

  it('prints what other shells need, quoted, and removes what it made when it is stopped', async () => {
    const dir = join(base, "it's here");
    const { status, stdout, stderr } = await served('--dir', dir);
    const quoted = (name: string) => `'${join(dir, name).replaceAll("'", "'\\''")}'`;
    assert.deepEqual([status, stderr], [0, '']);
    assert.equal(
      stdout,
      `export XENSTORED_PATH=${quoted('socket')}\nexport PVUSB_SYSFS=${quoted('sys')}\nexport PVUSB_QMP=${quoted('')}\nexport PVUSB_USERDATA=${quoted('userdata')}\nexport PVUSB_PROC=${quoted('proc')}\nexport PVUSB_DEV=${quoted('dev')}\nexport PVUSB_RULES=${quoted('rules')}\nexport PVUSB_STATE=${quoted('state')}\nexport PVUSB_AUDIT=${quoted('audit')}\nexport PVUSB_API_SOCKET=${quoted('api')}\nexport PVUSB_COMMAND_SOCKET=${quoted('command')}\nexport PVUSB_USBIDS=${quoted('usb.ids')}\nready\n`,
    );
    const [first] = stdout.split('\n');
    assert.equal(
      execFileSync('sh', ['-c', `${first}; printf %s "$XENSTORED_PATH"`], { encoding: 'utf8' }),
      join(dir, 'socket'),
    );
    assert.ok(!existsSync(dir));
  });

  it('refuses a release of Xen whose xenstored it cannot be', async () => {
    await refuses(['--dir', join(base, 'release'), '--xenstore', '4.18'], 'takes 4.17 or 4.20, not "4.18"');
  });

  it('leaves an existing folder, and what else is in it', async () => {
    const dir = join(base, 'kept');
    mkdirSync(dir);
    writeFileSync(join(dir, 'notes'), 'mine');
    assert.equal((await served('--dir', dir)).status, 0);
    assert.deepEqual(readdirSync(dir), ['notes']);
  });

  it('takes over from one that was killed, in whatever it was killed', async () => {
    const dir = join(base, 'killed');
    mkdirSync(join(dir, 'sys/bus/usb'), { recursive: true });
    writeFileSync(join(dir, '.pvusb-sim'), '');
    // A socket of a program that did not remove it.
    const listening =
      'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, 9))';
    const sockets = ['control', 'qmp-libxl-2', 'qmp-libxl-3~', 'socket'];
    for (const name of sockets) spawnSync(process.execPath, ['-e', listening, join(dir, name)]);
    assert.deepEqual(readdirSync(dir).sort(), ['.pvusb-sim', ...sockets, 'sys']);
    const { status, stderr } = await served('--dir', dir);
    assert.deepEqual([status, stderr], [0, '']);
    assert.deepEqual(readdirSync(dir), []);
  });

  it('removes nothing that anyone else made', async () => {
    const dir = join(base, 'project');
    mkdirSync(join(dir, 'sys'), { recursive: true });
    writeFileSync(join(dir, 'sys', 'notes'), 'mine');
    await refuses(['--dir', dir], `${dir}/sys already exists, and was not made by "pvusb sim"`);
    await refuses(['--dir', '/'], '/sys already exists');
    assert.deepEqual(readdirSync(join(dir, 'sys')), ['notes']);
    const other = join(base, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'socket'), 'mine');
    await refuses(['--dir', other], `${other}/socket already exists, and is not a socket`);
    assert.deepEqual(readdirSync(other), ['socket']);
  });

  it('leaves the socket of another program alone', async () => {
    const dir = join(base, 'taken');
    mkdirSync(dir);
    const host = await SimHost.create(labWorld());
    const published = await publishStore(host.store, join(dir, 'socket'));
    await refuses(['--dir', dir], `${dir}/socket is served by another program`);
    assert.deepEqual(readdirSync(dir), ['socket']);
    await published.close();
    await host.close();
  });

  it('refuses an impossible folder', async () => {
    await refuses(['--dir', join(base, 'x'.repeat(120))], 'is too long');
    await refuses(['--dir', join(base, 'no', 'such')], 'ENOENT');
    await refuses(['--dir', join(file('plain', ''), 'below')], 'ENOTDIR');
  });

  it('refuses an invalid world, with the field that is wrong, and touches nothing', async () => {
    const dir = join(base, 'unmade');
    const bad = 'invalid-configuration';
    const device = { busid: '1-1', id: '46f4:0001', speed: 480, interfaces: ['08/06/50'] };
    const short = (devices: readonly unknown[]) => JSON.stringify({ format: 'pvusb-world-1', devices });
    for (const [name, text, says] of [
      ['empty', '', 'cannot be used as a world: The world is not JSON.'],
      ['format', '{"format":"x"}', "The world's format is neither pvusb-world-1 nor pvusb-inventory-1."],
      [
        'device',
        short([device, { ...device, busid: '../..' }]),
        "The world's devices[1].busid is not the name",
      ],
      ['speed', short([{ ...device, speed: 'fast' }]), "The world's devices[0].speed is not a speed."],
    ] as const) {
      const world = file(name, text);
      await refuses(['--dir', dir, '--world', world], `${world} cannot be used as a world: `, bad);
      await refuses(['--dir', dir, '--world', world], says, bad);
    }
    await refuses(
      ['--dir', dir, '--world', join(base, 'missing')],
      `There is no file ${join(base, 'missing')}.`,
      bad,
    );
    await refuses(['--dir', dir, '--world', base], 'EISDIR', bad);
    assert.ok(!existsSync(dir));
  });
});

describe('pvusb demo --tour', () => {
  it('runs on any system, since the host is a simulated one', async () => {
    const platform = Object.getOwnPropertyDescriptor(process, 'platform')!;
    Object.defineProperty(process, 'platform', { ...platform, value: 'darwin' });
    try {
      const { status, stdout, stderr } = await runPvusb(['demo', '--tour']);
      assert.equal(status, 0, stderr);
      assert.match(stdout, /That was the demo\./);
    } finally {
      Object.defineProperty(process, 'platform', platform);
    }
  });
});
