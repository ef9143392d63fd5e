/** Which USB device something in sysfs belongs to. Pure. */
import { posix } from 'node:path';
import { type Busid, parseBusid } from '../sysfs/busid.js';

/** Where a link leads, by its text: sysfs has no links inside the paths that its links name. */
export function resolveLink(at: string, target: string): string {
  return posix.join(posix.dirname(at), target);
}

/**
 * The device that a path in sysfs is below: the last one, since a hub contains what is plugged into it. Undefined for
 * what is not on USB.
 */
export function ownerOf(path: string): Busid | undefined {
  return path
    .split('/')
    .map(parseBusid)
    .findLast((busid) => busid !== undefined);
}
