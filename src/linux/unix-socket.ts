/** Unix sockets at a path. */
import { once } from 'node:events';
import { lstat, mkdir, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { LinuxError } from './errors.js';

/** Longest path, in bytes (`sun_path` of unix(7), without its NUL): a longer one would be truncated. */
const PATH_MAX = 107;

/**
 * Has a server listen on a path, whose folder is made if there is none. A socket left by a killed process is removed;
 * one that a process is listening on, and anything that is not a socket, stays.
 *
 * @throws {LinuxError} `ENAMETOOLONG`; `ENOTSOCK`: something else is there; `EADDRINUSE`: another process is listening there; what
 *   the system says
 */
export async function listenAtPath(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > PATH_MAX)
    throw new LinuxError(
      'ENAMETOOLONG',
      `${path} is longer than the ${PATH_MAX} bytes that a socket's path can have`,
    );
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await listening(server, path);
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw failure(path, error);
    if (!(await lstat(path)).isSocket())
      throw new LinuxError('ENOTSOCK', `${path} exists and is not a socket`, { cause: error });
    if (!(await isLeftover(path)))
      throw new LinuxError('EADDRINUSE', `another program is listening on ${path}`, { cause: error });
    await unlink(path);
    await listening(server, path).catch((again: unknown) => {
      throw failure(path, again);
    });
  }
}

function failure(path: string, error: unknown): LinuxError {
  const code = codeOf(error);
  return new LinuxError(code, `no socket can be made at ${path} (${code})`, { cause: error });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** Rejects with an error that is emitted instead. */
async function listening(server: Server, path: string): Promise<void> {
  server.listen(path);
  await once(server, 'listening');
}

/** A socket that no process is listening on. */
async function isLeftover(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return false;
  } catch (error) {
    return codeOf(error) === 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}
