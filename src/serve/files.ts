/** Files of a running backend: a trace, and a socket that serves its metrics. */
import { createWriteStream } from 'node:fs';
import { createServer } from 'node:net';
import { LinuxError } from '../linux/errors.js';
import { listenAtPath } from '../linux/unix-socket.js';
import { PvusbError } from '../pvusb/index.js';

/** Where a trace is written to, in order. */
interface TraceFile {
  write(bytes: Uint8Array): void;
  /** Resolves when all of it is in the file. */
  close(): Promise<void>;
}

/** Opens a file for a trace; what was in it is gone. */
export function openTrace(path: string, onError: (error: Error) => void): TraceFile {
  const stream = createWriteStream(path, { mode: 0o600 });
  stream.on('error', onError);
  return {
    write: (bytes) => void stream.write(bytes),
    close: () => new Promise((resolve) => stream.end(() => resolve())),
  };
}

/**
 * Sends `text` to everyone who connects to a socket; costs nothing while nobody does. Returns what ends it.
 *
 * @throws {PvusbError} `cannot-listen`
 */
export async function serveText(
  path: string,
  text: () => string,
  onError: (error: Error) => void,
): Promise<() => void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(text());
  });
  try {
    await listenAtPath(server, path);
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    throw new PvusbError('cannot-listen', `The metrics cannot be served: ${error.message}.`, {
      cause: error,
    });
  }
  server.on('error', onError);
  return () => server.close();
}
