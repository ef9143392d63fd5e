/** The rules for xenstore paths (`xenstore.txt`: permitted characters, lengths, special watches). No IO. */

declare const brand: unique symbol;

/** A checked xenstore path, absolute (`/local/domain/3`) or relative to the client's own domain (`device/vusb`). */
export type XsPath = string & { readonly [brand]: 'XsPath' };

/** Longest absolute path (`xs_wire.h: XENSTORE_ABS_PATH_MAX`). Debian's oxenstored accepts only 1024. */
export const ABSOLUTE_PATH_MAX = 3072;

/** Longest relative path (`xs_wire.h: XENSTORE_REL_PATH_MAX`). */
export const RELATIVE_PATH_MAX = 2048;

/** The special watch on new domains. */
export const INTRODUCE_DOMAIN = '@introduceDomain';

/** The special watch on domains that go away. */
export const RELEASE_DOMAIN = '@releaseDomain';

const PERMITTED = /^[A-Za-z0-9\-/_@]+$/;

/** Nearly all that are used: nothing more has to be looked at. */
const USUAL = /^\/?[A-Za-z0-9\-_][A-Za-z0-9\-_@]*(?:\/[A-Za-z0-9\-_@]+)*$/;

/** Why `path` is not a xenstore path, or undefined when it is one. */
export function pathFault(path: string): string | undefined {
  const fault = shapeFault(path);
  if (fault !== undefined) return fault;
  const limit = path.startsWith('/') ? ABSOLUTE_PATH_MAX : RELATIVE_PATH_MAX;
  return path.length > limit ? `is longer than ${limit} bytes` : undefined;
}

/** The same, whatever the length. */
export function shapeFault(path: string): string | undefined {
  if (USUAL.test(path)) return undefined;
  if (path === '') return 'is empty';
  if (!PERMITTED.test(path)) return 'has a character other than A-Z a-z 0-9 - / _ @';
  if (path === '/') return undefined;
  if (path.endsWith('/')) return 'ends with a slash';
  if (path.includes('//')) return 'has an empty component';
  return path.startsWith('@') ? 'is a special name, which can only be watched' : undefined;
}

/** True when `path` may be read, written or listed. */
export function isPath(path: string): path is XsPath {
  return pathFault(path) === undefined;
}

/** True when `path` may be watched: a path, or `@introduceDomain`, `@releaseDomain` or another special name. */
export function isWatchable(path: string): path is XsPath {
  return isPath(path) || (/^@[A-Za-z0-9\-_]+$/.test(path) && path.length <= RELATIVE_PATH_MAX);
}
