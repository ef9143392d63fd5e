/** Where the API listens: beside another daemon, after one that was killed, at what listens already. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { openDaemon } from '../../src/client/index.js';
import { type Door, openApi } from '../../src/daemon/http/index.js';
import { labWorld } from '../../src/sim/index.js';
import { simulatedHost } from '../../src/testing/index.js';
import { serviceOf } from '../support/service.js';

it('takes the place of a daemon that was killed, and not of one that lives', {
  timeout: 60_000,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'pvusb-listen-'));
  await using host = await simulatedHost(labWorld());
  const service = serviceOf(host);
  const peerOf = () => ({ pid: 1, uid: 0, gid: 0, groups: [] });
  const openAt = (listen: Door['listen'], tls?: { readonly cert: string; readonly key: string }) =>
    openApi({
      service,
      audit: async () => [],
      version: '1',
      doors: [
        'host' in listen
          ? { kind: 'tcp', listen, tls, tokens: async () => [], hosts: [] }
          : { kind: 'unix', listen, peerOf },
      ],
    });
  try {
    const path = join(dir, 'api.sock');
    const killed = createServer().listen(join(dir, 'other.sock'));
    await once(killed, 'listening');
    renameSync(join(dir, 'other.sock'), path);
    await new Promise((resolve) => killed.close(resolve));
    {
      await using _ = await openAt({ path });
      assert.equal(statSync(path).mode & 0o777, 0o600, 'for root only, without a group');
      await assert.rejects(openAt({ path }), {
        code: 'cannot-listen',
        message: /another program is listening on/,
      });
      assert.equal((await openDaemon({ socketPath: path }).version()).version, '1');
    }
    writeFileSync(path, 'a file');
    const long = join(dir, 'x'.repeat(120));
    for (const [at, message] of [
      [path, /exists and is not a socket/],
      [dir, /exists and is not a socket/],
      [join(path, 'api.sock'), /no socket can be made at \S+ \(E(EXIST|NOTDIR)\)/],
      [long, /longer than the 107 bytes/],
    ] as const)
      await assert.rejects(openAt({ path: at }), { code: 'cannot-listen', message });
    assert.equal(readFileSync(path, 'utf8'), 'a file');
    assert.deepEqual(readdirSync(dir), ['api.sock'], 'no socket at a part of the path');
    {
      await using taken = await openAt({ host: '127.0.0.1', port: 0 });
      const { port } = taken.addresses[0] as AddressInfo;
      await assert.rejects(openAt({ host: '127.0.0.1', port }), {
        code: 'cannot-listen',
        message: /EADDRINUSE/,
      });
    }
    const tls = { cert: 'no certificate', key: 'no key' };
    await assert.rejects(openAt({ host: '127.0.0.1', port: 0 }, tls), { code: 'invalid-configuration' });

    // As systemd passes on a socket: it listens already.
    const given = createServer().listen(join(dir, 'given.sock'));
    await once(given, 'listening');
    {
      await using _ = await openAt({ server: given });
      assert.equal((await openDaemon({ socketPath: join(dir, 'given.sock') }).version()).api, 1);
    }
    given.close();
    assert.equal(service.events.hearers, 0, 'nothing is left behind');
  } finally {
    rmSync(dir, { recursive: true });
  }
});
