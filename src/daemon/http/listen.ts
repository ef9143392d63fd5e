/** Has a server listen at a door. */
import { once } from 'node:events';
import { chmod, chown, lstat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { PvusbError } from '../../pvusb/index.js';
import type { Door, Listen } from './doors.js';

/**
 * Listens; what is left of a daemon that was killed is removed, but not what another daemon listens at.
 *
 * @throws {PvusbError} `invalid-argument`: an address of other hosts without TLS; what the system says
 */
export async function listenAt(server: Server, door: Door): Promise<void> {
  const { listen } = door;
  if ('server' in listen) {
    listen.server.on('connection', (socket) => server.emit('connection', socket));
    return;
  }
  if (door.kind === 'tcp' && !door.tls && 'host' in listen && !isLoopback(listen.host))
    throw new PvusbError(
      'invalid-argument',
      'TCP needs TLS, except on a loopback address such as 127.0.0.1.',
    );
  try {
    await tryListen(server, listen);
  } catch (error) {
    if (!('path' in listen) || !isInUse(error) || !(await isLeftover(listen.path))) throw error;
    await unlink(listen.path);
    await tryListen(server, listen);
  }
  if ('path' in listen) {
    // Who comes is seen to once they have connected; this keeps others from connecting.
    if (door.kind === 'unix' && door.group && process.getuid?.() === 0)
      await chown(listen.path, 0, door.group.gid);
    await chmod(listen.path, door.kind === 'unix' && door.group ? 0o660 : 0o600);
  }
}

async function tryListen(
  server: Server,
  listen: Exclude<Listen, { readonly server: Server }>,
): Promise<void> {
  server.listen(listen);
  // Rejects with an error that is emitted instead.
  await once(server, 'listening');
}

function isLoopback(host: string): boolean {
  return host === '::1' || host === 'localhost' || /^127(\.\d{1,3}){3}$/.test(host);
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}

/** A socket that nobody listens at. */
async function isLeftover(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket()) return false;
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}
