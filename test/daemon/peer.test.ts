/** Who is at the other end of a Unix socket, as the kernel says. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { loadPeerOf } from '../../src/linux/peer.js';

it('the kernel says who has connected to a Unix socket, and nothing of a closed one or of TCP', async () => {
  const peerOf = await loadPeerOf();
  const dir = mkdtempSync(join(tmpdir(), 'pvusb-peer-'));
  const server = createServer();
  const remote = createServer();
  try {
    server.listen(join(dir, 'socket'));
    await once(server, 'listening');
    const client = connect(join(dir, 'socket'));
    const [socket] = (await once(server, 'connection')) as [Socket];
    const { pid, uid, gid, groups } = peerOf(socket);
    assert.deepEqual([pid, uid, gid], [process.pid, process.getuid?.(), process.getgid?.()]);
    const others = (process.getgroups?.() ?? []).filter((group) => group !== gid);
    assert.deepEqual(
      others.filter((group) => !groups.includes(group)),
      [],
    );
    client.destroy();
    socket.destroy();
    assert.throws(() => peerOf(socket), /closed/);
    remote.listen(0, '127.0.0.1');
    await once(remote, 'listening');
    const caller = connect((remote.address() as { readonly port: number }).port, '127.0.0.1');
    const [called] = (await once(remote, 'connection')) as [Socket];
    assert.throws(() => peerOf(called), /does not/);
    caller.destroy();
    called.destroy();
  } finally {
    server.close();
    remote.close();
    rmSync(dir, { recursive: true });
  }
});
