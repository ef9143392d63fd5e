/** What may come next on a command line, as the shells' scripts are told. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Command } from 'commander';
import { buildProgram } from '../../src/cli/program.js';
import { pvusb } from './program.js';
import { addVirtual, openStage, runPvusb, type Stage } from './stage.js';

/** Words that a shell takes as they are, with what they stand for on one line. */
const OFFER = /^[\w.+=/-]+\t[^\p{Cc}]+$/u;

describe('completion', () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage();
    await stage.done('attach', 'u1', '4-1');
  });
  after(() => stage[Symbol.asyncDispose]());

  const answer = async (...words: readonly string[]): Promise<string[]> => {
    const { status, stdout, stderr } = await stage.run('complete', '--', ...words);
    assert.deepEqual([words, status, stderr], [words, 0, '']);
    return stdout.split('\n').slice(0, -1);
  };
  /** An answer that is not empty. A shell does not wait for long: on a busy machine it has to be asked again. */
  const some = async (...words: readonly string[]): Promise<string[]> => {
    const lines = await answer(...words);
    return lines.length > 0 ? lines : some(...words);
  };
  const offered = async (...words: readonly string[]): Promise<string[]> =>
    (await answer(...words)).map((line) => line.split('\t')[0]!);

  it('offers domains and devices, each to the commands that take it', async () => {
    const domains = ['u1\tdomain 1, pv', 'u2\tdomain 2, pv'];
    for (const words of [
      ['attach'],
      ['list'],
      ['release'],
      ['apply'],
      ['controller', 'add'],
      ['usbdev-attach'],
    ]) {
      assert.deepEqual(await some(...words, ''), domains, words.join(' '));
    }
    const devices = await some('attach', 'u1', '');
    assert.ok(devices.includes('1-1\tQEMU USB HARDDRIVE'));
    assert.ok(
      devices.every((line) => !/^(4-1|3-5|usb\d)\t/.test(line)),
      devices.join('\n'),
    );
    assert.deepEqual(await some('detach', ''), ['4-1\tQEMU USB HARDDRIVE in u1']);
    assert.ok((await some('sim', 'unplug', '')).some((line) => line.startsWith('4-1\t')));
    assert.deepEqual(await some('sim', 'kill-guest', ''), domains);
    assert.deepEqual(await some('detach', '--domain', ''), domains);
    assert.deepEqual(await some('detach', '-d', 'u1', ''), ['4-1\tQEMU USB HARDDRIVE in u1']);
    await addVirtual(stage, 'stick:/srv/a.img');
    assert.ok((await some('detach', '')).includes('stick:/srv/a.img\tvirtual device in u1 (domain 1)'));
    await addVirtual(stage, 'stick:/srv/$(a)');
    assert.deepEqual(await answer('detach', 'stick'), []);
    // Only another version knows it: here it is not taken for a name.
    await addVirtual(stage, 'webcam:/dev/video0');
    assert.deepEqual(await answer('detach', 'webcam'), []);
    const withFlag = domains.map((line) => `--domain=${line}`);
    assert.deepEqual(await some('detach', '--domain=u'), withFlag);
  });

  it('offers commands, options and types by how they begin, quoted or not', async () => {
    assert.deepEqual(await answer('det'), ['detach\ttake a device back']);
    assert.deepEqual(await offered('"det'), ['detach']);
    assert.deepEqual(await offered('d\\et'), ['detach']);
    assert.deepEqual(await offered('controller', ''), ['add', 'remove', 'destroy', 'info', 'help']);
    assert.deepEqual(await offered('help', 'det'), ['detach']);
    assert.deepEqual(await offered('attach', 'u1', '--d'), ['--dry-run']);
    assert.deepEqual(await offered('usb-list', 'u1', '--j'), ['--json']);
    assert.deepEqual(await offered('list', '--json='), ['--json=libxl']);
    assert.deepEqual(await offered('attach', '--json='), []);
    const types = ['auto', 'pv', 'qusb', 'devicemodel'];
    assert.deepEqual(await offered('controller', 'add', 'u1', '--type', ''), types);
    assert.deepEqual(await offered('controller', 'add', '-t', ''), types);
    assert.deepEqual(await offered('controller', 'add', '--type=p'), ['--type=pv']);
    assert.deepEqual(await offered('completion', ''), ['bash', 'zsh', 'fish']);
    assert.deepEqual(await offered('attach', '--', '-'), [], 'no option after "--"');
  });

  it('leaves files and folders to the shell', async () => {
    for (const words of [
      ['apply', 'u1'],
      ['prepare'],
      ['sim', '--world'],
      ['sim', '--dir', '/x', '--world'],
    ]) {
      assert.deepEqual(await answer(...words, 'any'), [':files'], words.join(' '));
    }
    assert.deepEqual(await answer('sim', '--world=any'), [':files']);
    for (const words of [
      ['sim', '--dir'],
      ['devices', '--sysfs-root'],
      ['usb-list', '--sysfs-root'],
    ]) {
      assert.deepEqual(await answer(...words, ''), [':folders'], words.join(' '));
    }
    assert.deepEqual(await answer('apply', 'u1', 'u1.cfg', ''), []);
  });

  it('offers single words, each with one line, for every command', async () => {
    const program = buildProgram({ ...stage, out: () => undefined, err: () => undefined } as never);
    const all: string[][] = [];
    const collect = (command: Command, words: string[]): void => {
      all.push(words);
      for (const sub of command.commands) collect(sub, [...words, sub.name()]);
    };
    collect(program, []);
    assert.ok(all.length > 20);
    for (const words of all) {
      for (const next of [[''], ['-'], ['u1', ''], ['u1', 'x', '']]) {
        for (const line of await answer(...words, ...next)) {
          if (line !== ':files' && line !== ':folders') assert.match(line, OFFER, `${words}: ${line}`);
          assert.doesNotMatch(line, /json-libxl/);
        }
      }
    }
  });

  it('offers names of guests that a shell takes as they are, and the numbers of others', async () => {
    await using other = await openStage();
    await other.sim.addDomain({ domid: 7, name: '$(touch x)' });
    await other.sim.addDomain({ domid: 8, name: '8' });
    await other.sim.addDomain({ domid: 9, name: '-rf' });
    let stdout = '';
    while (stdout === '') ({ stdout } = await other.run('complete', '--', 'list', ''));
    const values = stdout.split('\n').map((line) => line.split('\t')[0]);
    assert.deepEqual(values, ['u1', 'u2', '7', '8', '9', '']);
  });

  it('offers nothing, silently, when xenstored is missing or does not answer', async () => {
    const path = join(stage.dir, 'silent');
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    for (const XENSTORED_PATH of ['/nonexistent/socket', path]) {
      const { status, stdout, stderr } = await pvusb(['complete', '--', 'attach', ''], {
        ...stage.env,
        XENSTORED_PATH,
      });
      assert.deepEqual([status, stdout, stderr], [0, '', '']);
    }
    server.close();
  });

  it('has no script for another shell, and says which it has', async () => {
    const { status, stdout, stderr } = await runPvusb(['completion', 'powershell']);
    assert.deepEqual([status, stdout], [2, '']);
    assert.equal(
      stderr,
      'pvusb: completion takes bash, zsh or fish, not "powershell".\nSee "pvusb completion --help". (invalid-argument)\n',
    );
  });
});
