/** Has a server listen at a door. */
import { once } from 'node:events';
import { chmod, chown } from 'node:fs/promises';
import type { Server } from 'node:net';
import { listenAtPath } from '../../linux/unix-socket.js';
import { PvusbError } from '../../pvusb/index.js';
import { printable } from '../../sysfs/index.js';
import type { Door } from './doors.js';

/**
 * Listens. A socket left by a killed daemon is removed, but not one that another daemon is listening on.
 *
 * @throws {PvusbError} `invalid-argument`: an address that other hosts can reach, without TLS; `cannot-listen`
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
      { remedy: 'Give --tls-cert and --tls-key, or a loopback address.' },
    );
  try {
    if ('path' in listen) {
      await listenAtPath(server, listen.path);
      await keepOthersOut(listen.path, door);
    } else {
      server.listen(listen);
      // Rejects with an error that is emitted instead.
      await once(server, 'listening');
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PvusbError('cannot-listen', `The daemon cannot listen: ${printable(why)}.`, {
      cause: error,
    });
  }
}

/** Clients are checked once they have connected; this keeps others from connecting at all. */
async function keepOthersOut(path: string, door: Door): Promise<void> {
  const hasGroup = door.kind === 'unix' && door.group !== undefined;
  if (hasGroup && process.getuid?.() === 0) await chown(path, 0, door.group!.gid);
  await chmod(path, hasGroup ? 0o660 : 0o600);
}

function isLoopback(host: string): boolean {
  return host === '::1' || host === 'localhost' || /^127(\.\d{1,3}){3}$/.test(host);
}
