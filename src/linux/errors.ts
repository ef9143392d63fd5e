/** What Linux refused. */
import { getSystemErrorName } from 'node:util';

/** A system call failed, or cannot be made on this machine. */
export class LinuxError extends Error {
  override readonly name = 'LinuxError';
  /** `ENODEV`, `EBUSY`...; `unsupported`: the call cannot be made here. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The error for a negative errno. */
export function linuxError(errno: number, what: string): LinuxError {
  const name = errnoName(errno);
  return new LinuxError(name, `${what}: ${name}`);
}

function errnoName(errno: number): string {
  try {
    return getSystemErrorName(errno);
  } catch {
    return `errno ${-errno}`;
  }
}
