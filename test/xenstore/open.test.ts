import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { publishStore, SimStore } from '../../src/sim/index.js';
import { causeCode, openXenstore, XenstoreError, xenstorePaths } from '../../src/xenstore/index.js';
import { startDaemon } from '../xenstored/daemon.js';
import { kitOrSkip } from '../xenstored/fetch.js';

const { skip } = await kitOrSkip();
const folder = mkdtempSync(join(tmpdir(), 'pvusb-open-'));
after(() => rmSync(folder, { recursive: true }));

async function failureOf(path: string): Promise<XenstoreError> {
  try {
    (await openXenstore({ environment: { XENSTORED_PATH: path } })).close();
  } catch (error) {
    assert.ok(error instanceof XenstoreError, String(error));
    assert.equal(error.code, 'unreachable');
    assert.equal(error.operation, 'connect');
    assert.ok(error.message.includes(path));
    return error;
  }
  return assert.fail(`${path} could be opened`);
}

/** A socket file whose server is gone. */
async function deadSocket(): Promise<string> {
  const [made, kept] = [join(folder, 'made'), join(folder, 'dead')];
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(made, resolve));
  renameSync(made, kept);
  await new Promise((resolve) => server.close(resolve));
  assert.ok(existsSync(kept));
  return kept;
}

describe('the place of xenstored', () => {
  it('is what the environment says: the path itself, or a folder with a socket', () => {
    assert.deepEqual(xenstorePaths({ XENSTORED_PATH: '/p', XENSTORED_RUNDIR: '/r' }), ['/p']);
    assert.deepEqual(xenstorePaths({ XENSTORED_RUNDIR: '/r' }), ['/r/socket']);
    assert.deepEqual(xenstorePaths({ XENSTORED_PATH: '', XENSTORED_RUNDIR: '' }), xenstorePaths({}));
  });

  it('otherwise is one of the usual sockets, then the device', () => {
    assert.deepEqual(xenstorePaths({}), [
      '/run/xenstored/socket',
      '/var/run/xenstored/socket',
      '/dev/xen/xenbus',
    ]);
  });
});

describe('opening', () => {
  it('waits for a daemon that is too busy to take a connection', { skip }, async () => {
    const daemon = await startDaemon('c');
    const environment = { XENSTORED_PATH: daemon.socket };
    process.kill(daemon.pid, 'SIGSTOP');
    const opening = Array.from({ length: 10 }, () => openXenstore({ environment }));
    const giveUp = new AbortController();
    const given = openXenstore({ environment, signal: giveUp.signal });
    await sleep(100);
    giveUp.abort(new Error('given up'));
    await assert.rejects(given, /given up/);
    process.kill(daemon.pid, 'SIGCONT');
    for (const client of await Promise.all(opening)) {
      assert.equal(await client.read('/local/domain/0/name'), 'Domain-0');
      client.close();
    }
    await daemon.stop();
  });

  it('connects to the socket of XENSTORED_PATH and of XENSTORED_RUNDIR', async () => {
    const published = await publishStore(new SimStore(), join(folder, 'socket'));
    for (const environment of [
      { XENSTORED_PATH: join(folder, 'socket') },
      { XENSTORED_RUNDIR: folder },
      { XENSTORED_RUNDIR: `${folder}/` },
    ]) {
      await using client = await openXenstore({ environment });
      assert.equal(await client.read('/local/domain/0/name'), 'Domain-0');
    }
    await published.close();
  });

  it('what does not exist says ENOENT', async () => {
    assert.equal(causeCode(await failureOf(join(folder, 'missing'))), 'ENOENT');
    assert.equal(causeCode(await failureOf(join(folder, 'missing', 'deep'))), 'ENOENT');
  });

  it('a socket that nobody listens on says ECONNREFUSED', async () => {
    assert.equal(causeCode(await failureOf(await deadSocket())), 'ECONNREFUSED');
  });

  it('a file that is not a socket says so', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, '');
    assert.equal(causeCode(await failureOf(path)), 'ECONNREFUSED');
    assert.equal(causeCode(await failureOf(join(path, 'below'))), 'ENOTDIR');
  });

  it('a socket that this user may not open says EACCES', async () => {
    const closed = join(folder, 'closed');
    mkdirSync(closed);
    const path = join(closed, 'socket');
    const published = await publishStore(new SimStore(), path);
    chmodSync(closed, 0o000);
    // Root may do everything: be another user for a moment.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    try {
      assert.equal(causeCode(await failureOf(path)), 'EACCES');
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(closed, 0o700);
      await published.close();
    }
  });

  it('can be aborted', async () => {
    const reason = new Error('given up');
    const environment = { XENSTORED_PATH: join(folder, 'missing') };
    await assert.rejects(
      openXenstore({ environment, signal: AbortSignal.abort(reason) }),
      (error) => error === reason,
    );
    const published = await publishStore(new SimStore(), join(folder, 'aborted'));
    const giveUp = new AbortController();
    const opening = openXenstore({
      environment: { XENSTORED_PATH: join(folder, 'aborted') },
      signal: giveUp.signal,
    });
    giveUp.abort(reason);
    await assert.rejects(opening, (error) => error === reason);
    await published.close();
  });
});
