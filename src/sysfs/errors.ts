/** The errors of sysfs. */

/**
 * Why sysfs failed: the kernel's errno (`EIO`, `ENODEV`, `EBUSY`, `EACCES`...), or
 * - `no-sysfs`: there is no `bus/usb/devices` below the root
 * - `not-verified`: the kernel accepted a bind or unbind, but the `driver` link does not show it
 */
export type SysfsErrorCode = string;

/** A failed sysfs operation: its code, what was tried and the path. */
export class SysfsError extends Error {
  override readonly name = 'SysfsError';
  readonly code: SysfsErrorCode;
  /** What was tried: `bind`, `unbind`, `probe`, `read`. */
  readonly operation: string;
  /** Relative to sysfs's root. */
  readonly path: string;

  constructor(code: SysfsErrorCode, operation: string, path: string, detail: string, cause?: unknown) {
    super(`sysfs ${operation} ${path}: ${detail}`, cause === undefined ? {} : { cause });
    this.code = code;
    this.operation = operation;
    this.path = path;
  }
}

/** The errno of a Node error; undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** True for the errors of something that does not exist (any more): a device can be pulled out between two reads. */
export function isGone(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO';
}

/** Turns a file error into a {@link SysfsError}; others pass unchanged. */
export function toSysfsError(error: unknown, operation: string, path: string): unknown {
  const code = errnoOf(error);
  if (error instanceof SysfsError || code === undefined) return error;
  return new SysfsError(code, operation, path, `the kernel answered ${code}`, error);
}
