/** Finds and opens the host's xenstore, as libxenstore does. */
import { stat } from 'node:fs/promises';
import type { CallOptions } from './call.js';
import { type ClientOptions, XenstoreClient } from './client.js';
import { openDevice } from './device.js';
import { causeCode, XenstoreError } from './errors.js';
import { connectSocket } from './socket.js';
import type { Transport } from './transport.js';

/** The environment variables that say where xenstored is (`xenstore.txt`, libxenstore). */
export interface XenstoreEnvironment {
  /** Path of the socket, or of the device. */
  readonly XENSTORED_PATH?: string | undefined;
  /** The folder that contains `socket`. */
  readonly XENSTORED_RUNDIR?: string | undefined;
}

/** Where a xenstore may be, in the order to try. */
export function xenstorePaths(environment: XenstoreEnvironment): string[] {
  if (environment.XENSTORED_PATH) return [environment.XENSTORED_PATH];
  if (environment.XENSTORED_RUNDIR) return [`${environment.XENSTORED_RUNDIR}/socket`];
  return ['/run/xenstored/socket', '/var/run/xenstored/socket', '/dev/xen/xenbus'];
}

/**
 * Opens the host's xenstore: what the environment names, otherwise xenstored's socket, otherwise `/dev/xen/xenbus`.
 *
 * @throws {XenstoreError} `unreachable`: it does not exist, nothing listens, or no permission (see its cause)
 */
export async function openXenstore(
  options: ClientOptions & CallOptions & { readonly environment?: XenstoreEnvironment } = {},
): Promise<XenstoreClient> {
  const paths = xenstorePaths(options.environment ?? (process.env as XenstoreEnvironment));
  const failures: XenstoreError[] = [];
  for (const path of paths) {
    options.signal?.throwIfAborted();
    try {
      return new XenstoreClient(await openPath(path, options.signal), options);
    } catch (error) {
      if (!(error instanceof XenstoreError)) throw error;
      failures.push(error);
    }
  }
  // An existing socket that refuses says more than a path that does not exist.
  const telling = failures.find((error) => causeCode(error) !== 'ENOENT') ?? failures[0]!;
  throw telling;
}

async function openPath(path: string, signal: AbortSignal | undefined): Promise<Transport> {
  let isDevice: boolean;
  try {
    isDevice = (await stat(path)).isCharacterDevice();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new XenstoreError(
      'unreachable',
      'connect',
      undefined,
      code === 'ENOENT' ? `there is no ${path}` : `cannot open ${path} (${code ?? message})`,
      error,
    );
  }
  return isDevice ? openDevice(path) : connectSocket(path, signal);
}
