import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { reportError } from '../../src/cli/report.js';
import { commandRemedy } from '../../src/commands/remedies.js';
import { ERROR_KINDS, EXIT_STATUS, PvusbError, type PvusbErrorCode } from '../../src/pvusb/model/errors.js';
import { MessageType } from '../../src/xenstore/wire.js';
import { differences, ERROR_TEXT, openStage, runPvusb, type Stage, terminalLike } from './stage.js';

const NOBODY = 65_534;

describe('the exit status of each error', () => {
  for (const code of Object.keys(ERROR_KINDS) as PvusbErrorCode[]) {
    it(`${code} ends with its group's, and is reported on lines of its own`, () => {
      let [stdout, stderr] = ['', ''];
      const terminal = terminalLike({
        out: (text) => {
          stdout += text;
        },
        err: (text) => {
          stderr += text;
        },
      });
      const error = new PvusbError(code, 'It failed.', {
        where: { domid: 1 },
        leftOver: ['A port is left.'],
      });
      const status = reportError(terminal, error, true);
      assert.equal(status, code === 'aborted' ? 130 : EXIT_STATUS[ERROR_KINDS[code].group]);
      assert.equal(ERROR_TEXT.exec(stderr)?.[1], code);
      const remedy = commandRemedy(code);
      const told = {
        code,
        message: 'It failed.',
        remedy,
        where: { domid: 1 },
        leftOver: ['A port is left.'],
      };
      assert.deepEqual(JSON.parse(stdout), { error: told });
    });
  }
});

describe('problems with the host', () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage();
    await stage.done('attach', 'u1', '3-8');
  });
  after(() => stage[Symbol.asyncDispose]());
  afterEach(() => {
    delete stage.sim.store.intercept;
    stage.sim.usb.clearFaults();
  });

  async function fails(argv: readonly string[], env = stage.env) {
    const { status, stdout, stderr } = await runPvusb(argv, { env });
    assert.equal(stdout, '');
    const [, code] = ERROR_TEXT.exec(stderr) ?? [];
    assert.ok(code, stderr);
    return { status, code, stderr };
  }

  /** Runs something as a user without rights; as root that takes a change of user, otherwise we already are one. */
  async function withoutRights<T>(act: () => Promise<T>): Promise<T> {
    if (process.geteuid!() !== 0) return act();
    process.seteuid!(NOBODY);
    try {
      return await act();
    } finally {
      process.seteuid!(0);
    }
  }

  it('says so when a daemon without TLS is named with https', async () => {
    const server = createHttpServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const env = { PVUSB_HOST: `https://127.0.0.1:${port}`, PVUSB_TOKEN: 'x' };
    const { status, stderr } = await runPvusb(['list'], { env });
    server.close();
    assert.equal(status, 3);
    assert.match(stderr, /does not speak TLS \(EPROTO\)\.\nUse http:\/\/ if it is on this machine/);
  });

  it('no xenstored ends with 3, and the message says where it was looked for', async () => {
    const env = { ...stage.env, XENSTORED_PATH: join(stage.dir, 'nothing') };
    for (const argv of [['devices'], ['list'], ['attach', 'u1', '4-1'], ['doctor'], ['inventory']]) {
      const { status, code, stderr } = await fails(argv, env);
      assert.deepEqual([status, code], [3, 'xenstore-unreachable']);
      assert.ok(stderr.includes(`Cannot connect to xenstored: there is no ${stage.dir}/nothing.\n`), stderr);
    }
  });

  it('a socket that is not for everyone ends with 3 and "Run it as root."', async () => {
    const socket = join(stage.dir, 'socket');
    chmodSync(stage.dir, 0o755);
    chmodSync(socket, 0);
    const { status, code, stderr } = await withoutRights(() => fails(['list']));
    chmodSync(socket, 0o777);
    assert.deepEqual([status, code], [3, 'xenstore-denied']);
    assert.match(stderr, /\(EACCES\).*\nRun it as root\. /);
  });

  it('a sysfs that may not be written ends with 3, and what was begun is undone', async () => {
    chmodSync(stage.dir, 0o755);
    chmodSync(join(stage.dir, 'socket'), 0o777);
    const before = await stage.look();
    if (process.geteuid!() === 0) {
      const { status, code } = await withoutRights(() => fails(['attach', 'u1', '4-1']));
      assert.deepEqual([status, code], [3, 'sysfs-denied']);
    }
    assert.deepEqual(differences(before, await stage.look()), []);
  });

  it('no sysfs ends with 3 and names the option for it', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'pvusb-empty-'));
    mkdirSync(join(empty, 'bus'));
    for (const root of [empty, join(empty, 'nothing')]) {
      const { status, code, stderr } = await fails(['devices', '--sysfs-root', root]);
      assert.deepEqual([status, code], [3, 'sysfs-missing']);
      assert.match(stderr, /^pvusb: There is no sysfs: .*\n.*--sysfs-root/);
    }
    rmSync(empty, { recursive: true });
  });

  it('a driver that refuses ends with 3, and what was begun is undone', async () => {
    const before = await stage.look();
    stage.sim.usb.failBind('usbback', 'EIO');
    const { status, code, stderr } = await fails(['attach', 'u1', '4-1']);
    assert.deepEqual([status, code], [3, 'sysfs-failed']);
    assert.match(stderr, /4-1:1\.0/);
    assert.deepEqual(differences(before, await stage.look()), []);
  });

  it('a lost connection ends with 4, and what was begun is undone over another one', async () => {
    const before = await stage.look();
    let armed = true;
    stage.sim.store.intercept = ({ type }) => {
      if (!armed || type !== MessageType.transactionEnd) return 'pass';
      armed = false;
      return 'drop-after';
    };
    const { status, code } = await fails(['attach', 'u1', '4-1']);
    assert.deepEqual([status, code], [4, 'connection-lost']);
    assert.deepEqual(differences(before, await stage.look()), []);
  });

  it('another writer that keeps interfering ends with 4, and nothing was changed', async () => {
    const before = await stage.look();
    stage.sim.store.intercept = ({ type }) =>
      type === MessageType.transactionEnd ? { error: 'EAGAIN' } : 'pass';
    const { status, code, stderr } = await fails(['attach', 'u1', '4-1']);
    assert.deepEqual([status, code], [4, 'conflict']);
    assert.match(stderr, /try again\. /);
    delete stage.sim.store.intercept;
    assert.deepEqual(differences(before, await stage.look()), []);
  });

  it('a driver that does not take its device back ends with 5; the doctor continues', async () => {
    await stage.done('attach', 'u1', '4-1');
    stage.sim.usb.failBind('usb-storage', 'EIO');
    const { status, code, stderr } = await fails(['detach', '4-1']);
    assert.deepEqual([status, code], [5, 'driver-not-restored']);
    assert.match(stderr, /4-1:1\.0 has no driver now.*\nTry again with "pvusb doctor --fix"/);
    stage.sim.usb.clearFaults();
    assert.equal((await stage.run('doctor', '--fix')).status, 0);
    assert.equal(stage.sim.usb.driverOf('4-1:1.0'), 'usb-storage');
  });

  it('an interrupt ends with 130, before anything was begun', async () => {
    const before = await stage.look();
    for (const argv of [
      ['attach', 'u1', '4-1'],
      ['usbdev-attach', 'u1', 'hostbus=4', 'hostaddr=2'],
      ['list'],
      ['doctor'],
    ]) {
      const { status, stderr } = await runPvusb(argv, { env: stage.env, signal: AbortSignal.abort() });
      assert.equal(status, 130, stderr);
      assert.equal(ERROR_TEXT.exec(stderr)?.[1], 'aborted', stderr);
    }
    assert.deepEqual(differences(before, await stage.look()), []);
  });
});
