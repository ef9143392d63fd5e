/** A transport over xenstored's Unix socket. */
import { connect, type Socket } from 'node:net';
import { XenstoreError } from './errors.js';
import type { Transport, TransportEvents } from './transport.js';

/** Bytes read at once; one buffer is reused for the life of the connection. */
const READ_BYTES = 64 * 1024;

/**
 * Connects to the socket at `path`.
 *
 * @throws {XenstoreError} `unreachable`, with the system's error as cause
 */
export function connectSocket(path: string, signal?: AbortSignal): Promise<Transport> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    let events: TransportEvents | undefined;
    let failure: Error | undefined;
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const onRead = (bytes: number): boolean => {
      events?.bytes(buffer.subarray(0, bytes));
      return true;
    };
    const socket: Socket = connect({ path, onread: { buffer, callback: onRead } });
    const onAbort = (): void => {
      socket.destroy();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      failure = error;
      signal?.removeEventListener('abort', onAbort);
      const detail = `cannot connect to ${path} (${error.code ?? error.message})`;
      reject(new XenstoreError('unreachable', 'connect', undefined, detail, error));
    });
    socket.once('close', () => events?.closed(failure));
    socket.once('connect', () => {
      signal?.removeEventListener('abort', onAbort);
      resolve({
        start: (wanted) => {
          events = wanted;
        },
        send: (messages) => {
          socket.write(messages);
        },
        close: () => socket.destroy(),
        keepProcessAlive: (keep) => (keep ? socket.ref() : socket.unref()),
      });
    });
  });
}
