/** `pvusb --host`: the same commands through a daemon, beside the same on the host itself. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runProgram } from '../../src/cli/program.js';
import { follow } from '../../src/cli/remote/follow.js';
import { openDaemon, type Streamed } from '../../src/client/index.js';
import { addToken } from '../../src/daemon/http/index.js';
import { labWorld } from '../../src/sim/index.js';
import { type Served, serve } from './served.js';
import { differences, ERROR_TEXT, openMade, type Run, runPvusb, type Stage, terminalLike } from './stage.js';

describe('pvusb --host', () => {
  let stage: Stage;
  let served: Served;
  before(async () => {
    stage = await openMade(labWorld());
    await stage.done('assign', 'u1', '4-1');
    await stage.done('assign', 'u2', '1-1', '--ask');
    served = await serve(stage);
    // The daemon has done what the rules say.
    await openDaemon({ socketPath: served.socketPath }).reconcile();
    await stage.sim.idle();
  });
  after(async () => {
    await served[Symbol.asyncDispose]();
    await stage[Symbol.asyncDispose]();
  });

  /** Through the daemon. The rest of the environment says nothing about the host. */
  const there = (...argv: readonly string[]): Promise<Run> =>
    runPvusb(['--host', served.host, ...argv], { env: { PVUSB_USBIDS: stage.env.PVUSB_USBIDS } });

  /** Runs a command both ways: text, data and exit status are the same. */
  async function same(...argv: readonly string[]): Promise<Run> {
    // Of data the order of the fields does not matter.
    const data = ({ stdout, ...run }: Run): unknown =>
      /^[{[]/.test(stdout) ? [run, JSON.parse(stdout)] : [run, stdout];
    const words = argv.join(' ');
    const local = await stage.run(...argv);
    assert.deepEqual(data(await there(...argv)), data(local), words);
    const json = [...argv, '--json'];
    if (argv[0] !== 'audit')
      assert.deepEqual(data(await there(...json)), data(await stage.run(...json)), `${words} --json`);
    return local;
  }

  it('shows what the host shows', async () => {
    assert.match((await same('list')).stdout, /4-1 +46f4:0001/);
    await same('list', 'u2');
    await same('devices');
    await same('devices', '--all');
    await same('controller', 'info', 'u1', '0');
    await same('export', 'u1');
    await same('assignments');
    await same('explain', '4-1', 'u1');
    await same('check');
    await same('inventory');
    await same('quiesced');
    const forLibxl = ['export', 'u1', '--json=libxl'];
    assert.deepEqual(await there(...forLibxl), await stage.run(...forLibxl));
    const info = ['controller', 'info', 'u1', '0', '--json=libxl'];
    assert.deepEqual(await there(...info), await stage.run(...info));
  });

  it('plans what the host plans, and changes nothing', async () => {
    const before = await stage.look();
    for (const words of [
      ['attach', 'u2', '3-5.1'],
      ['attach', 'u2', '1-1', '--always'],
      ['detach', '4-1'],
      ['detach', 'u1', '0', '1'],
      ['controller', 'add', 'u2', '--ports', '4'],
      ['controller', 'remove', 'u1', '0'],
      ['controller', 'destroy', 'u1', '0'],
      ['release', 'u1'],
      ['assign', 'u2', '3-6'],
      ['unassign', 'u1', '4-1'],
      ['reconcile'],
      ['quiesce', 'u1'],
      ['doctor', '--fix'],
    ])
      assert.equal((await same(...words, '--dry-run')).status, 0, words.join(' '));
    assert.deepEqual(differences(before, await stage.look()), []);
  });

  it('fails as the host fails', async () => {
    for (const words of [
      ['attach', 'u1', '4-1'],
      ['attach', 'nobody', '1-1'],
      ['detach', '1-1'],
      ['controller', 'remove', 'u1', '7'],
      ['controller', 'info', 'u1', '7'],
      ['restore', 'nobody'],
      ['unassign', 'assignments.conf:99'],
      ['explain', '9-9'],
      ['list', 'nobody'],
    ]) {
      const { status, stderr } = await same(...words);
      assert.equal(status, 1, words.join(' '));
      assert.match(stderr, ERROR_TEXT);
    }
  });

  it('changes the host, and says what the host would say', async () => {
    const say = async (...argv: readonly string[]): Promise<string> => {
      const { status, stdout, stderr } = await there(...argv);
      assert.equal(status, 0, `${argv.join(' ')}: ${stderr}`);
      return stdout;
    };
    assert.equal(
      await say('attach', 'u2', '3-5.1'),
      '3-5.1 is attached to port 1 of controller 0 of domain u2.\n',
    );
    assert.equal(
      await say('detach', '3-5.1'),
      '3-5.1 is detached from port 1 of controller 0 of domain 2.\n',
    );
    assert.match(
      await say('controller', 'add', 'u2', '--ports', '4'),
      /^Domain u2 has USB controller 1 now: pv, USB 2, 4 ports\.\n$/,
    );
    assert.equal(await say('controller', 'destroy', 'u2', '1'), 'Controller 1 of domain u2 is removed.\n');
    assert.match(await say('assign', 'u2', '3-6', '--deny'), /^deny u2 .*\nAdded; 3-6 is named by /);
    assert.match(await say('unassign', 'u2', '3-6'), /^deny u2 .*\nRemoved\.\n$/);
    const file = join(stage.dir, 'u2.cfg');
    const devices = JSON.parse(await stage.done('devices', '--json')) as readonly {
      readonly busid: string;
      readonly bus: number;
      readonly address: number;
    }[];
    const { bus, address } = devices.find(({ busid }) => busid === '3-6')!;
    writeFileSync(
      file,
      `name="u2"\nusbctrl=["version=2,ports=8"]\nusbdev=["hostbus=${bus},hostaddr=${address}"]\n`,
    );
    assert.match(await say('apply', 'u2', file), /^3-6 is attached [\s\S]*\nDomain u2 matches .*\n$/);
    await same('apply', 'u2', file);
    assert.match(await say('release', 'u2'), /^Domain u2 is released: controller 0, 3-6\.\n$/);
    assert.match(await say('audit', 'show', '--guest', 'u2'), / attach +u2 +3-5\.1 /);
    await same('audit', 'show', '--device', '3-5.1');
  });

  it('quiesces and restores, and repairs', async () => {
    const token = (await there('quiesce', 'u1')).stdout.trim();
    assert.match(token, /^u1-[0-9a-f]{6}$/);
    assert.match((await same('quiesced')).stdout, /quiesced/);
    const restored = await there('restore', token);
    assert.equal(
      restored.stdout,
      '4-1 is attached to port 1 of controller 0 of domain 1.\nDomain 1 has everything back.\n',
    );
    assert.match((await there('doctor')).stdout, /Nothing is wrong\.\n/);
    await there('quiesce', 'u1');
    assert.equal((await there('restore', token, '--forget')).stdout, 'What u1 had is discarded.\n');
  });

  it('lists the devices that wait, and answers', async () => {
    const { stdout } = await there('requests');
    const [title, line = ''] = stdout.split('\n');
    assert.match(title!, /^ID +BUSID +GUEST +RULE +DEVICE$/);
    const [id, busid, guest] = line.split(/ +/);
    assert.deepEqual([busid, guest], ['1-1', 'u2']);
    // Without --host the daemon of this host is asked.
    const env = { PVUSB_API_SOCKET: served.socketPath };
    assert.match(
      (await runPvusb(['allow', id!, '--dry-run'], { env })).stdout,
      /^attach 1-1 [\s\S]*\nNothing was changed/,
    );
    assert.equal(
      (await runPvusb(['refuse', id!], { env })).stdout,
      'u2 does not get 1-1; you will be asked again when the device is next plugged in.\n',
    );
    assert.equal((await there('requests')).stdout, 'No device is waiting for approval.\n');
    const { status, stderr } = await there('allow', id!);
    assert.deepEqual([status, ERROR_TEXT.exec(stderr)?.[1]], [1, 'no-such-request']);
    const gone = await runPvusb(['requests'], { env: { PVUSB_API_SOCKET: join(stage.dir, 'no') } });
    assert.deepEqual([gone.status, ERROR_TEXT.exec(gone.stderr)?.[1]], [3, 'daemon-unreachable']);
  });

  it('shows the steps of its own operation on a terminal, and nothing is left of them', async () => {
    let told = '';
    let see: () => void = () => undefined;
    const seen = new Promise<void>((resolve) => {
      see = resolve;
    });
    const terminal = terminalLike({
      showsProgress: true,
      err: (text) => {
        told += text;
        see();
      },
    });
    const daemon = openDaemon({ socketPath: served.socketPath });
    let operation = '';
    const step = (id: string, why: string): Streamed => ({
      id: '1',
      event: { event: 'step', operation: id, why, phase: 'begin', step: 1, steps: 1 },
    });
    const events = async function* () {
      yield { id: '0', event: { event: 'start' } } as const;
      await new Promise((resolve) => setImmediate(resolve));
      yield step(operation, 'write the port\u001b[2J');
      yield step('of somebody else', 'something else');
      await seen;
    };
    await follow(terminal, { ...daemon, events }, async (id) => {
      operation = id;
      await seen;
    });
    assert.equal(told, '\r\u001b[Kwrite the port\\x1b[2J ...\r\u001b[K');
    // What the daemon does quickly is not shown.
    told = '';
    const slow = terminalLike({ showsProgress: true, err: terminal.err });
    assert.equal(await runProgram(slow, ['--host', served.host, 'controller', 'add', 'u2']), 0);
    assert.equal(await runProgram(slow, ['--host', served.host, 'controller', 'destroy', 'u2', '0']), 0);
    assert.equal(told.replaceAll(/\r\u001b\[K[^\r\n\u001b]*/g, ''), '');
  });

  it('prints nothing of what a daemon says that could steer the terminal', async () => {
    const path = join(stage.dir, 'hostile');
    const hostile = '\u001b[2J\u202e';
    const finding = { finding: 'missing-device', severity: 'wrong', sentence: hostile };
    const rest = { failures: [hostile], idle: [], revived: [hostile] };
    const server = createHttpServer((_, response) =>
      response.end(JSON.stringify({ healthy: false, findings: [finding], remaining: [finding], ...rest })),
    );
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      const { status, stdout, stderr } = await runPvusb(['--host', `unix:${path}`, 'doctor']);
      assert.equal(status, 1);
      assert.match(stdout, /^\\x1b\[2J\\u\{202e\}\n/);
      assert.doesNotMatch(stdout + stderr, /[\u001b\u202e]/);
    } finally {
      server.close();
    }
  });

  it('is reached by TCP with a token, from the environment or a file', async () => {
    const token = await addToken(served.tokens, { name: 'desk', role: 'viewer' });
    const env = { PVUSB_HOST: served.url, PVUSB_TOKEN: token };
    const local = await stage.run('list');
    assert.deepEqual(await runPvusb(['list'], { env }), local);
    const file = join(stage.dir, 'token');
    writeFileSync(file, `${token}\n`);
    assert.deepEqual(await runPvusb([`--host=${served.url}`, '--token-file', file, 'list']), local);
    const code = async (run: Promise<Run>): Promise<unknown> => {
      const { status, stderr } = await run;
      return [status, ERROR_TEXT.exec(stderr)?.[1]];
    };
    assert.deepEqual(await code(runPvusb(['detach', '4-1'], { env })), [1, 'not-permitted']);
    assert.deepEqual(await code(runPvusb(['list'], { env: { ...env, PVUSB_TOKEN: 'x' } })), [
      1,
      'not-authenticated',
    ]);
    assert.deepEqual(await code(runPvusb(['list'], { env: { PVUSB_HOST: served.url } })), [
      2,
      'invalid-argument',
    ]);
    assert.deepEqual(await code(runPvusb(['--host', 'usb.example', 'list'])), [2, 'invalid-argument']);
  });

  it('is refused for what works on the host itself only', async () => {
    const env = { PVUSB_HOST: served.host };
    for (const words of [
      ['serve'],
      ['watch'],
      ['prepare', 'u1.cfg'],
      ['audit', 'verify'],
      ['usb-list', 'u1'],
      ['list', '--json=libxl'],
    ]) {
      const byOption = await there(...words);
      assert.equal(byOption.status, 2, words.join(' '));
      const byEnvironment = await runPvusb(words, { env });
      assert.equal(byEnvironment.status, 2, words.join(' '));
      assert.match(byEnvironment.stderr, /works only on the host itself/);
    }
    for (const words of [['sim', '--dir', '/x'], ['demo'], ['completion', 'bash']])
      assert.equal((await there(...words)).status, 2, words.join(' '));
    assert.equal((await runPvusb(['completion', 'bash'], { env })).status, 0);
    const demo = await runPvusb(['demo', '--tour'], { env });
    assert.match(demo.stdout, /That was the demo\./, 'on its own host, not on that of the daemon');
    assert.equal((await there('list', '--sysfs-root', '/sys')).status, 2);
    assert.equal((await runPvusb(['--host'], { env: {} })).status, 2);
    assert.match((await there('list', '--help')).stdout, /^Usage: pvusb list/);
    assert.match((await there('lsit')).stderr, /list/);
  });
});
