/** Why a simulated host cannot be made or served, as the errors of all commands. */
import { PvusbError } from '../../pvusb/index.js';
import { FifoError } from '../../sim/index.js';

/** What is wrong with the folder that was named, and not with the host. */
const OF_FOLDER = [
  'ENOENT',
  'ENOTDIR',
  'EISDIR',
  'EEXIST',
  'EACCES',
  'EPERM',
  'EROFS',
  'ELOOP',
  'ENAMETOOLONG',
];

/** The error for what failed in a folder; what is neither a system's error nor a missing program stays as it is. */
export function simError(error: unknown, dir: string): unknown {
  if (error instanceof FifoError) {
    const remedy =
      'Install mkfifo (a part of coreutils), or choose a folder on a file system that has named pipes.';
    return new PvusbError('simulation-failed', error.message, { remedy, cause: error });
  }
  if (error instanceof PvusbError || !(error instanceof Error && 'code' in error)) return error;
  const code = OF_FOLDER.includes(String(error.code)) ? 'invalid-argument' : 'simulation-failed';
  return new PvusbError(code, `${dir} cannot be used: ${error.message}.`, { cause: error });
}
