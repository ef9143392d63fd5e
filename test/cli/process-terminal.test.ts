import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { StoreRequest } from '../../src/sim/index.js';
import { MessageType } from '../../src/xenstore/wire.js';
import { orSkip, programOf } from '../support/needs.js';
import { Program, pvusb, SHELL_COMMAND, shell, startPvusb } from './program.js';
import { shellOrSkip } from './shells.js';
import { differences, openStage, type Stage } from './stage.js';

/** What gives a program a terminal of its own: util-linux's, or else Python's. */
const terminal = await orSkip('pvusb on a terminal', 'util-linux or python3', () =>
  programOf('script', 'python3'),
);

const PYTHON =
  'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(["sh", "-c", sys.argv[1]])))';

/** Runs a command line on a terminal of its own. */
function onTerminal(command: string, env: Stage['env']): Program {
  const program = terminal.found!;
  const args = program.endsWith('script') ? ['-qec', command, '/dev/null'] : ['-c', PYTHON, command];
  return new Program(program, args, { ...env, TERM: 'xterm', SHELL: '/bin/sh' });
}

describe('pvusb as a process', () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage();
    // Folders that come with a domain's first controller and go with its last.
    await stage.done('controller', 'add', 'u1');
    await stage.done('controller', 'remove', 'u1', '0');
  });
  after(() => stage[Symbol.asyncDispose]());
  afterEach(() => {
    delete stage.sim.store.intercept;
    stage.sim.store.releaseHeld();
  });

  /** Holds the first request that `chosen` picks; resolves when it came. */
  function hold(chosen: (request: StoreRequest) => boolean): Promise<void> {
    return new Promise((resolve) => {
      let held = false;
      stage.sim.store.intercept = (request) => {
        if (held || !chosen(request)) return 'pass';
        held = true;
        resolve();
        return 'hold';
      };
    });
  }

  const MOMENTS: readonly (readonly [when: string, chosen: (request: StoreRequest) => boolean])[] = [
    ['the first look', ({ type }) => type === MessageType.directory],
    ['the first commit', ({ type }) => type === MessageType.transactionEnd],
    ['the wait for usbback', ({ type }) => type === MessageType.watch],
    ['the claim of the port', ({ type, path }) => type === MessageType.write && !!path?.endsWith('port/1')],
    ['a forced end of the claim', ({ path }) => !!path?.startsWith('/libxl/usbback/4-1')],
  ];

  for (const [when, chosen] of MOMENTS) {
    it(`takes back at Ctrl-C what an attach has begun: in ${when}`, async () => {
      const before = await stage.look();
      const reached = hold(chosen);
      const attach = startPvusb(['attach', 'u1', '4-1'], stage.env);
      await reached;
      attach.child.kill('SIGINT');
      const { status, stdout, stderr } = await attach.ended();
      assert.deepEqual([status, stdout], [130, '']);
      assert.match(
        stderr,
        /^pvusb: Interrupted while [^\n]*\.\nWhat was begun is taken back.* \(aborted\)\n$/,
      );
      assert.deepEqual(differences(before, await stage.look()), []);
    });
  }

  it('shows on a terminal what takes long, and there only', { skip: terminal.skip }, async () => {
    const { usbback } = stage.sim;
    assert.ok(usbback);
    usbback.manner = 'slow';
    const pipe = startPvusb(['controller', 'add', 'u2'], stage.env);
    const shown = onTerminal(`${SHELL_COMMAND} attach u1 4-1`, stage.env);
    await shown.says('let usbback take controller 0 of domain 1 ...');
    usbback.manner = 'prompt';
    await usbback.proceed();
    const { status, stdout } = await shown.ended();
    assert.equal(status, 0, stdout);
    assert.ok(
      stdout.endsWith('\r\u001b[K4-1 is attached to port 1 of controller 0 of domain 1.\r\n'),
      stdout,
    );
    const piped = await pipe.ended();
    assert.deepEqual([piped.status, piped.stderr], [0, '']);
    assert.ok(!piped.stdout.includes('\u001b'));
    await stage.done('controller', 'remove', 'u2', '0');
    await stage.done('detach', '4-1');
  });

  it('ends without a word when nobody reads on', async () => {
    for (const command of [
      'pvusb devices --json | head -1',
      'pvusb inventory | true',
      'pvusb --help | head -1',
    ]) {
      const { stderr } = await shell(command, stage.env);
      assert.equal(stderr, '', command);
    }
  });

  it('refuses in the shell with the status of the error', async () => {
    const { stdout } = await shell(
      'for words in "attach u1 46f4:0001" "frob" "usb-list" "usb-list 1 2" "usb-list 9" "-V"; do ' +
        'pvusb $words >/dev/null 2>&1; echo -n "$? "; done; XENSTORED_PATH=/nonexistent pvusb list 2>&1; echo $?',
      stage.env,
    );
    assert.match(stdout, /^1 2 2 255 1 0 pvusb: .*\nRun it in domain 0 .*\n3\n$/);
  });

  it('offers what is there to a shell that completes', async () => {
    await stage.done('attach', 'u1', '4-1');
    const offered = async (words: readonly string[], tries = 20): Promise<string[]> => {
      const { status, stdout, stderr } = await pvusb(['complete', '--', ...words], stage.env);
      assert.deepEqual([status, stderr], [0, '']);
      const offers = stdout.split('\n').filter((line) => line !== '' && !line.startsWith(':'));
      // It does not let a shell wait for long: on a busy machine it has to be asked again.
      return offers.length > 0 || tries === 0 ? offers : offered(words, tries - 1);
    };
    const domains = ['u1\tdomain 1, pv', 'u2\tdomain 2, pv'];
    const [attach, devices, detach, xl, list, commands, types] = await Promise.all([
      offered(['attach', '']),
      offered(['attach', 'u1', '']),
      offered(['detach', '']),
      offered(['usbdev-attach', '']),
      offered(['list', '']),
      offered(['det']),
      offered(['controller', 'add', 'u1', '--type', '']),
    ]);
    assert.deepEqual(attach, domains);
    assert.ok(devices.includes('1-1\tQEMU USB HARDDRIVE'));
    assert.ok(
      devices.every((line) => !/^(4-1|3-5|usb\d)\t/.test(line)),
      devices.join('\n'),
    );
    assert.deepEqual(detach, ['4-1\tQEMU USB HARDDRIVE in u1']);
    assert.deepEqual(xl, domains);
    assert.deepEqual(list, domains);
    assert.deepEqual(commands, ['detach\ttake a device back']);
    assert.deepEqual(
      types.map((line) => line.split('\t')[0]),
      ['auto', 'pv', 'qusb', 'devicemodel'],
    );
  });

  it('offers nothing, silently, when xenstored is not there or does not answer', async () => {
    const path = join(stage.dir, 'silent');
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    for (const XENSTORED_PATH of ['/nonexistent/socket', path]) {
      const { status, stdout, stderr } = await pvusb(['complete', '--', 'attach', ''], {
        ...stage.env,
        XENSTORED_PATH,
      });
      assert.deepEqual([status, stdout, stderr], [0, ':4\n', '']);
    }
    server.close();
  });

  for (const name of ['bash', 'zsh', 'fish']) {
    it(`prints a completion script that ${name} can read`, async (t) => {
      const { found: kit, skip } = await shellOrSkip(name);
      if (skip !== false) return t.skip(skip);
      const script = await shell(`pvusb completion ${name}`);
      assert.deepEqual([script.status, script.stderr], [0, '']);
      const env = { ...process.env, ...kit.environment };
      const folder = mkdtempSync(join(tmpdir(), 'pvusb-shell-'));
      t.after(() => rmSync(folder, { recursive: true }));
      writeFileSync(join(folder, 'script'), script.stdout);
      const read = spawnSync(kit.program, ['-n', join(folder, 'script')], { env, encoding: 'utf8' });
      assert.deepEqual([read.status, read.stdout, read.stderr], [0, '', '']);
    });
  }
});
