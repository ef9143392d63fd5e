/** The only error of the simulated daemon: an errno by name, as on the wire. */

/** errno names that the simulated daemon answers (`xs_wire.h: xsd_errors`). */
export type StoreErrno =
  | 'EINVAL'
  | 'EACCES'
  | 'EEXIST'
  | 'ENOENT'
  | 'ENOSPC'
  | 'ENOSYS'
  | 'EIO'
  | 'EBUSY'
  | 'EAGAIN'
  | 'E2BIG'
  | 'EPERM';

/** A request that the simulated daemon refuses. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrno;
  readonly path: string | undefined;

  constructor(code: StoreErrno, path?: string) {
    super(path === undefined ? code : `${code}: ${path}`);
    this.code = code;
    this.path = path;
  }
}
