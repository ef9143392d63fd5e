/** A transport over the Unix socket of a QEMU monitor. */
import { connect } from 'node:net';
import { QmpError } from './errors.js';
import type { QmpTransport, QmpTransportEvents } from './transport.js';

/** Longest path of a socket, in bytes (`sun_path` less its NUL). Node 20 silently truncates a longer one. */
const PATH_MAX_BYTES = 107;

/**
 * Connects to the socket at `path`, for instance `/var/run/xen/qmp-libxl-3`. Success does not mean that QEMU is
 * listening to us: the kernel accepts for it, see {@link QmpClient.open}.
 *
 * @throws {QmpError} `unreachable`, with the system's error as cause unless the path is too long; `busy` when so many
 *   are already waiting that the kernel accepts no more (EAGAIN: QEMU 7.2 asks for a queue of one, which holds two)
 */
export function connectSocket(path: string, signal?: AbortSignal): Promise<QmpTransport> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    if (Buffer.byteLength(path) > PATH_MAX_BYTES) {
      throw new QmpError('unreachable', 'connect', `a socket's path has at most ${PATH_MAX_BYTES} bytes`);
    }
    let events: QmpTransportEvents | undefined;
    let failure: NodeJS.ErrnoException | undefined;
    const socket = connect({ path });
    const onAbort = (): void => {
      socket.destroy();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      failure = error;
      signal?.removeEventListener('abort', onAbort);
      // Once connected, this is too late to reject; the cause then goes with `closed`.
      reject(connectError(path, error));
    });
    socket.once('close', () => events?.closed(failure));
    socket.once('connect', () => {
      signal?.removeEventListener('abort', onAbort);
      resolve({
        start: (wanted) => {
          events = wanted;
          socket.on('data', (chunk: Buffer) => wanted.bytes(chunk));
          // It died between the connection and now: nobody has been told of `close`.
          if (socket.destroyed) queueMicrotask(() => wanted.closed(failure));
        },
        send: (messages) => {
          if (!socket.destroyed) socket.write(messages);
        },
        close: () => socket.destroy(),
      });
    });
  });
}

function connectError(path: string, error: NodeJS.ErrnoException): QmpError {
  const shown = error.code ?? error.message;
  if (error.code === 'EAGAIN') {
    return new QmpError('busy', 'connect', `too many programs wait for ${path} (${shown})`, { cause: error });
  }
  return new QmpError('unreachable', 'connect', `cannot connect to ${path} (${shown})`, { cause: error });
}
