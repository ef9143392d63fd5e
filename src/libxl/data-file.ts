/** A domain's `libxl-json` file: read, and written in one step. Only for the holder of the domain's lock. */
import { constants, lstat, open, rename, unlink } from 'node:fs/promises';
import { errnoOf, isLibxlError, LibxlError, systemFailure } from './errors.js';
import { CONFIG_BYTES_MAX, SavedConfig, tooLarge } from './saved-config.js';

/** Nobody but root: a configuration may contain a VNC password. The same as libxl's. */
const MODE = 0o600;

// A symbolic link is not followed, and a FIFO does not block.
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const WRITE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * The configuration in the file; undefined when there is no file.
 *
 * @throws {LibxlError} `malformed`, `too-large`, `not-a-file`, `denied`, `io`
 */
export async function readConfig(path: string): Promise<SavedConfig | undefined> {
  const untrustedBytes = await readBytes(path);
  if (!untrustedBytes) return undefined;
  try {
    return SavedConfig.parse(untrustedBytes);
  } catch (cause) {
    if (!isLibxlError(cause)) throw cause;
    const where = cause.line !== undefined && cause.column !== undefined && cause;
    throw new LibxlError(cause.code, `${path}: ${cause.message}`, {
      path,
      ...(where && { line: where.line!, column: where.column! }),
      cause,
    });
  }
}

async function readBytes(path: string): Promise<Buffer | undefined> {
  try {
    await using file = await open(path, READ_FLAGS);
    const stat = await file.stat();
    if (!stat.isFile()) throw notAFile(path);
    if (stat.size > CONFIG_BYTES_MAX) throw tooLarge(stat.size, path);
    return await file.readFile();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw systemFailure(error, 'cannot be read', path);
  }
}

/**
 * Writes a configuration to `newPath`, and renames it to `path` when all of it is on disk. If that fails, the file at
 * `path` is as it was, and there is none at `newPath`.
 *
 * @throws {LibxlError} `not-a-file`, `no-directory`, `denied`, `io`
 */
export async function writeConfig(path: string, newPath: string, config: SavedConfig): Promise<void> {
  try {
    if (!(await isFileOrNothing(path))) throw notAFile(path);
    // What a writer that died has left there.
    await unlinkIfThere(newPath);
    await writeNew(newPath, config.toBytes());
    try {
      await rename(newPath, path);
    } catch (error) {
      await unlinkIfThere(newPath);
      throw error;
    }
  } catch (error) {
    throw writeFailure(error, path);
  }
}

async function writeNew(newPath: string, bytes: Buffer): Promise<void> {
  const file = await open(newPath, WRITE_FLAGS, MODE);
  try {
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await unlinkIfThere(newPath);
    throw error;
  }
}

/**
 * Removes the file. It is not an error if there is none.
 *
 * @throws {LibxlError} `not-a-file`, `denied`, `io`
 */
export async function removeConfig(path: string): Promise<void> {
  try {
    if (!(await isFileOrNothing(path))) throw notAFile(path);
    await unlinkIfThere(path);
  } catch (error) {
    throw writeFailure(error, path);
  }
}

function writeFailure(error: unknown, path: string): LibxlError {
  if (errnoOf(error) !== 'ENOENT') return systemFailure(error, 'cannot be written', path);
  return new LibxlError('no-directory', `${path}: no such directory`, { path, cause: error });
}

async function isFileOrNothing(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return true;
    throw error;
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function notAFile(path: string): LibxlError {
  return new LibxlError('not-a-file', `${path}: not a regular file`, { path });
}
