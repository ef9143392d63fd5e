/** Who may do what with a node (`xenstore.txt: Permissions`), and which paths there are. */

import { isPath, RELATIVE_PATH_MAX } from '../../xenstore/path.js';
import type { Permission } from '../../xenstore/permissions.js';
import { StoreError } from './errors.js';
import { type Nodes, parentOf } from './tree.js';

/** Who asks: a domain, and the domain it was made to stand in for by SET_TARGET. */
export interface Actor {
  readonly domid: number;
  readonly target?: number | undefined;
}

/** An entry as the daemon keeps it. */
export interface KeptPermission extends Permission {
  /**
   * True when the entry gives nothing: its domain was not there when it was set, or has died since. It is still
   * shown, and a later domain of that number does not have it (`XS_PERM_IGNORE`).
   */
  readonly isVoid?: boolean;
}

/** What a request wants to do with a node. */
export type Need = 'read' | 'write' | 'own';

/** True when `actor` has `need` under `permissions`: domain 0 and the owner may everything. */
export function allows(permissions: readonly KeptPermission[], actor: Actor, need: Need): boolean {
  const is = (domid: number): boolean => domid === actor.domid || domid === actor.target;
  const first = permissions[0]!;
  if (actor.domid === 0 || is(first.domid)) return true;
  if (need === 'own') return false;
  let access = first.access;
  for (let at = 1; at < permissions.length; at += 1) {
    if (is(permissions[at]!.domid) && !permissions[at]!.isVoid) {
      access = permissions[at]!.access;
      break;
    }
  }
  return access === 'both' || access === need;
}

/** `permissions` with every entry void that gives something to a domain for which `isGone` holds. */
export function voidEntries(
  permissions: readonly KeptPermission[],
  isGone: (domid: number) => boolean,
): readonly KeptPermission[] {
  const isLost = ({ domid, isVoid }: KeptPermission, at: number): boolean =>
    at > 0 && !isVoid && isGone(domid);
  if (!permissions.some(isLost)) return permissions;
  return permissions.map((entry, at) => (isLost(entry, at) ? { ...entry, isVoid: true } : entry));
}

/**
 * Refuses unless the node is there and `actor` has `need`.
 *
 * @throws {StoreError} `EACCES`; of a missing node `ENOENT`, but only to those who may `need` its nearest
 *   ancestor: others could else find out which nodes there are
 */
export function demand(nodes: Nodes, path: string, actor: Actor, need: Need): void {
  const node = nodes.get(path);
  if (node !== undefined) {
    if (!allows(node.permissions, actor, need)) throw new StoreError('EACCES', path);
    return;
  }
  const above = nearestAncestor(nodes, path);
  // Only an existing node can be owned in the full sense: above a missing one, writing is what counts.
  const needAbove = need === 'own' ? 'write' : need;
  throw new StoreError(allows(nodes.get(above)!.permissions, actor, needAbove) ? 'ENOENT' : 'EACCES', path);
}

/**
 * The nearest existing node above `path`. In a transaction, every node looked at is noted, as the daemon
 * does.
 */
export function nearestAncestor(nodes: Nodes, path: string): string {
  let above = parentOf(path);
  while (nodes.get(above) === undefined) above = parentOf(above);
  return above;
}

const OF_A_DOMAIN = /^\/local\/domain\/\d+\//;

/** The directory that a domain's relative paths are below (`xenstore.txt: Xenbus`). */
export function homeOf(domid: number): string {
  return `/local/domain/${domid}`;
}

/**
 * The absolute path of a path as a domain sent it.
 *
 * @param limit bytes allowed; what stands before a path in a domain's own directory is not counted
 * @throws {StoreError} `EINVAL`
 */
export function absolutePath(path: string, domid: number, limit: number = RELATIVE_PATH_MAX): string {
  const absolute = path.startsWith('/') ? path : `${homeOf(domid)}/${path}`;
  const counted = absolute.length - (OF_A_DOMAIN.exec(absolute)?.[0].length ?? 0);
  if (!isPath(path) || counted > limit) throw new StoreError('EINVAL', path);
  return absolute;
}
