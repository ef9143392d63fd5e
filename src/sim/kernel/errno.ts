/** Errors as Node reports the kernel's, for the simulated kernel. */
import { constants } from 'node:os';

/** The errno names the simulated kernel answers. */
export type KernelErrno = keyof typeof constants.errno;

const TEXT: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EBUSY: 'resource busy or locked',
  EINVAL: 'invalid argument',
  EIO: 'i/o error',
  EISDIR: 'illegal operation on a directory',
  ENODEV: 'no such device',
  ENOENT: 'no such file or directory',
  ENOMEM: 'not enough memory',
  ENOTDIR: 'not a directory',
};

/** An error of the kernel, with the fields that Node gives it: `code`, `errno` (negative), `syscall` and `path`. */
export function kernelError(code: KernelErrno, syscall: string, path: string): NodeJS.ErrnoException {
  const message = `${code}: ${TEXT[code] ?? 'error'}, ${syscall} '${path}'`;
  return Object.assign(new Error(message), { code, errno: -constants.errno[code], syscall, path });
}
