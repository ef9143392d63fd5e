/** Where the API listens: beside another daemon, after one that was killed, at what listens already. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { openDaemon } from '../../src/client/index.js';
import { openApi } from '../../src/daemon/http/index.js';
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
  const openAt = (listen: Parameters<typeof openApi>[0]['doors'][number]['listen']) =>
    openApi({
      service,
      audit: async () => [],
      version: '1',
      doors: [{ kind: 'unix', listen, peerOf }],
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
      await assert.rejects(openAt({ path }), /EADDRINUSE/);
      assert.equal((await openDaemon({ socketPath: path }).version()).version, '1');
    }
    writeFileSync(path, 'a file');
    await assert.rejects(openAt({ path }), /EADDRINUSE/);

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
