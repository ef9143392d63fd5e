/** Whether a request may access a node, and which paths are valid. */

import { isPath, RELATIVE_PATH_MAX } from '../../xenstore/path.js';
import { StoreError } from './errors.js';
import { type Actor, allows, type Need } from './permissions.js';
import { type Nodes, parentOf } from './tree.js';

/**
 * Refuses unless the node exists and `actor` has `need`.
 *
 * @throws {StoreError} `EACCES`; for a missing node `ENOENT`, but only to those who may `need` its nearest ancestor:
 *   others could otherwise find out which nodes exist
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
 * The nearest existing node above `path`. In a transaction, every node looked at is recorded, as in the daemon.
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
 * @param limit bytes allowed; the prefix of a path in a domain's own directory is not counted
 * @throws {StoreError} `EINVAL`
 */
export function absolutePath(path: string, domid: number, limit: number = RELATIVE_PATH_MAX): string {
  const absolute = path.startsWith('/') ? path : `${homeOf(domid)}/${path}`;
  const counted = absolute.length - (OF_A_DOMAIN.exec(absolute)?.[0].length ?? 0);
  if (!isPath(path) || counted > limit) throw new StoreError('EINVAL', path);
  return absolute;
}
