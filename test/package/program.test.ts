/** The packaged program, apart from what the tests in test/cli show. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Program } from '../cli/program.js';
import { type Env, openStage, type Run } from '../cli/stage.js';
import { projectRoot } from '../xenstored/fetch.js';
import { packaged, toolOrSkip, version } from './installed.js';

const { root, program, full } = packaged('amd64');
const man = await toolOrSkip(['man'], 'man-db');
const emulator = await toolOrSkip(['qemu-x86_64', 'qemu-x86_64-static'], 'qemu-user');

const runs = (command: string, args: readonly string[], env: Env = {}): Promise<Run> =>
  new Program(command, args, env).ended();
const prints = async (command: string, args: readonly string[], env: Env = {}): Promise<string> => {
  const { status, stdout, stderr } = await runs(command, args, env);
  assert.deepEqual([args, status, stderr], [args, 0, '']);
  return stdout;
};

describe('the packaged program', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pvusb-package-'));
  after(() => rmSync(folder, { recursive: true }));

  it('has this version, and explains itself', async () => {
    assert.equal(await prints(program, ['--version']), `${version}\n`);
    const help = await prints(program, ['--help']);
    for (const command of ['devices', 'attach', 'detach', 'doctor', 'sim', 'usb-list']) {
      assert.match(help, new RegExp(`^ {2}${command} `, 'm'));
      assert.match(await prints(program, [command, '--help']), /Usage/);
    }
  });

  it('has a manual that a pager shows without complaint', { skip: man.skip }, async () => {
    const page = join(root, 'usr/share/man/man1/pvusb.1.gz');
    const shown = await prints(man.tool, ['--warnings', '-l', page], { MANWIDTH: '80', PAGER: 'cat' });
    assert.match(shown, /^PVUSB\(1\)/);
    assert.match(shown, /lend the USB devices of a Xen host to its guests/);
    assert.ok(gunzipSync(readFileSync(page)).equals(readFileSync(join(projectRoot(), 'dist/man/pvusb.1'))));
  });

  for (const [shell, path] of [
    ['bash', 'usr/share/bash-completion/completions/pvusb'],
    ['zsh', 'usr/share/zsh/vendor-completions/_pvusb'],
    ['fish', 'usr/share/fish/vendor_completions.d/pvusb.fish'],
  ] as const) {
    it(`includes what it prints for ${shell}`, async () => {
      const script = readFileSync(join(root, path), 'utf8');
      assert.equal(script, await prints(program, ['completion', shell]));
      assert.ok(!script.includes(projectRoot()));
    });
  }

  it('is not affected by what is meant for Node', async () => {
    const env = { NODE_OPTIONS: '--no-such-option', NODE_EXTRA_CA_CERTS: '/nonexistent' };
    assert.equal(await prints(program, ['--version'], env), `${version}\n`);
    assert.equal((await runs(program, ['--inspect'])).status, 2);
  });

  it('can be called by another name', async () => {
    const link = join(folder, 'lend');
    symlinkSync(program, link);
    assert.equal(await prints(link, ['--version']), `${version}\n`);
  });

  it('runs on the oldest 64-bit processor', { skip: emulator.skip }, async () => {
    await using stage = await openStage();
    const emulated = (...args: readonly string[]): Promise<string> =>
      prints(emulator.tool, ['-cpu', 'qemu64', full, ...args], stage.env);
    assert.equal(await emulated('--version'), `${version}\n`);
    assert.equal(
      await emulated('devices', '--json'),
      await prints(program, ['devices', '--json'], stage.env),
    );
    assert.equal(
      await emulated('attach', 'u1', '4-1'),
      '4-1 is attached to port 1 of controller 0 of domain u1.\n',
    );
    assert.match(await emulated('usb-list', '1'), /^ {2}Port 1: Bus 004 Device 002$/m);
    assert.equal(
      await emulated('detach', '4-1'),
      '4-1 is detached from port 1 of controller 0 of domain 1.\n',
    );
  });
});
