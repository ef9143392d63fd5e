import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { StoreRequest } from '../../src/sim/index.js';
import { MessageType } from '../../src/xenstore/wire.js';
import { orSkip, programOf } from '../support/needs.js';
import { onTerminal, SHELL_COMMAND, shell, startPvusb } from './program.js';
import { differences, openStage, type Stage } from './stage.js';

/** What gives a program a terminal of its own: util-linux's, or else Python's. */
const terminal = await orSkip('pvusb on a terminal', 'util-linux or python3', () =>
  programOf('script', 'python3'),
);

/** By then a line of progress would have been drawn: the start of a process, and the time that is not worth a line. */
const DRAWN_MS = 1500;

describe('pvusb as a process', () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage();
    // Directories that appear with a domain's first controller and disappear with its last.
    await stage.done('controller', 'add', 'u1');
    await stage.done('controller', 'remove', 'u1', '0');
  });
  after(() => stage[Symbol.asyncDispose]());
  afterEach(() => {
    delete stage.sim.store.intercept;
    stage.sim.store.releaseHeld();
  });

  /** Holds back the first request that `chosen` picks; resolves when it has arrived. */
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
    it(`undoes on Ctrl-C what an attach has begun: in ${when}`, async () => {
      const before = await stage.look();
      const reached = hold(chosen);
      const attach = startPvusb(['attach', 'u1', '4-1'], stage.env);
      await reached;
      attach.child.kill('SIGINT');
      const { status, stdout, stderr } = await attach.ended();
      assert.deepEqual([status, stdout], [130, '']);
      assert.match(
        stderr,
        /^pvusb: Interrupted while [^\n]*\.\nAn attach or add was undone.* \(aborted\)\n$/,
      );
      assert.deepEqual(differences(before, await stage.look()), []);
    });
  }

  it('shows on a terminal what takes long, and only there', { skip: terminal.skip }, async () => {
    const { usbback } = stage.sim;
    assert.ok(usbback);
    usbback.manner = 'slow';
    const pipe = startPvusb(['controller', 'add', 'u2'], stage.env);
    const shown = onTerminal(`${SHELL_COMMAND} attach u1 4-1`, stage.env);
    await shown.says('let usbback take controller 0 of u1 (domain 1) ...');
    usbback.manner = 'prompt';
    await usbback.proceed();
    const { status, stdout } = await shown.ended();
    assert.equal(status, 0, stdout);
    assert.ok(
      stdout.endsWith('\r\u001b[K4-1 is attached to port 1 of controller 0 of domain u1.\r\n'),
      stdout,
    );
    const piped = await pipe.ended();
    assert.deepEqual([piped.status, piped.stderr], [0, '']);
    assert.ok(!piped.stdout.includes('\u001b'));
    await stage.done('controller', 'remove', 'u2', '0');
    await stage.done('detach', '4-1');
  });

  for (const plain of ['NO_COLOR=1', 'TERM=dumb']) {
    it(`draws nothing again with ${plain}, however long it takes`, { skip: terminal.skip }, async () => {
      const { usbback } = stage.sim;
      assert.ok(usbback);
      usbback.manner = 'slow';
      const shown = onTerminal(`echo begun; ${plain} ${SHELL_COMMAND} attach u1 4-1`, stage.env);
      await shown.says('begun');
      await setTimeout(DRAWN_MS);
      usbback.manner = 'prompt';
      await usbback.proceed();
      const { status, stdout } = await shown.ended();
      assert.equal(status, 0, stdout);
      assert.equal(stdout, 'begun\r\n4-1 is attached to port 1 of controller 0 of domain u1.\r\n');
      await stage.done('detach', '4-1');
      await stage.done('controller', 'remove', 'u1', '0');
    });
  }

  it('fits its tables to the terminal, and to COLUMNS', { skip: terminal.skip }, async () => {
    const command = `stty cols 60; ${SHELL_COMMAND} devices; COLUMNS=200 ${SHELL_COMMAND} devices`;
    const { stdout } = await onTerminal(command, stage.env).ended();
    const [narrow, wide] = stdout.split(/^(?=BUSID)/m);
    assert.match(narrow!, /^1-1 +1\.2 +46f4:0001 +usb-sto… +yes +QEMU USB HARDDR…\r$/m);
    assert.match(wide!, /^1-1 .* usb-storage +yes +QEMU USB HARDDRIVE\r$/m);
  });

  it('ends silently when nobody reads any further', async () => {
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
    assert.match(stdout, /^1 2 2 2 1 0 pvusb: .*\nRun it in domain 0 .*\n3\n$/);
  });
});
