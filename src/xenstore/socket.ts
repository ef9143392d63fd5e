/** A transport over xenstored's Unix socket. */
import { connect, type Socket } from 'node:net';
import { systemClock } from '../async/index.js';
import { XenstoreError } from './errors.js';
import type { Transport, TransportEvents } from './transport.js';

/** Bytes read at once; one buffer is reused for the life of the connection. */
const READ_BYTES = 64 * 1024;

/**
 * How long connecting to a busy daemon is retried. xenstored's queue has room for one or two connections that it has
 * not accepted yet; a non-blocking connect, like ours, gets EAGAIN when it is full.
 */
const BUSY_MS = 10_000;

/** Longest path of a socket (`unix(7): sun_path`). Node would truncate a longer one, and so connect elsewhere. */
const PATH_MAX = 107;

/**
 * Connects to the socket at `path`.
 *
 * @throws {XenstoreError} `unreachable`, with the system's error as cause
 */
export async function connectSocket(path: string, signal?: AbortSignal): Promise<Transport> {
  if (Buffer.byteLength(path) > PATH_MAX) {
    const detail = `${path} is longer than the ${PATH_MAX} bytes that a socket's path can have`;
    throw new XenstoreError('unreachable', 'connect', undefined, detail);
  }
  const endMs = systemClock.nowMs() + BUSY_MS;
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, 50)) {
    try {
      return await connectOnce(path, signal);
    } catch (error) {
      const cause = error instanceof XenstoreError ? (error.cause as NodeJS.ErrnoException) : undefined;
      if (cause?.code !== 'EAGAIN' || systemClock.nowMs() > endMs) throw error;
      await systemClock.sleep(pauseMs, signal);
    }
  }
}

function connectOnce(path: string, signal: AbortSignal | undefined): Promise<Transport> {
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
