/**
 * What requests do to nodes, the same inside and outside a transaction
 * (`xenstore.txt: Database read, write and permissions operations`).
 */
import type { Permission } from '../../xenstore/permissions.js';
import { demand, nearestAncestor } from './access.js';
import { StoreError } from './errors.js';
import { type Actor, type KeptPermission, voidEntries } from './permissions.js';
import { demandRoom, nodeBytes, type Quotas } from './quota.js';
import { childOf, type Nodes, parentOf, type TreeNode } from './tree.js';

/** Something that watches report. */
export interface Change {
  readonly path: string;
  /**
   * `node`: watches of the path and of everything above it fire. `exact`: only those of this very path,
   * because an ancestor was removed, which the others hear about once.
   */
  readonly reach: 'node' | 'exact';
  /**
   * A guest hears of it when any of these allows it to read: the node's permissions before and after, and its parent's.
   */
  readonly visibleBy: readonly (readonly KeptPermission[])[];
}

/** What an operation needs to know besides its arguments. */
export interface OperationContext {
  readonly nodes: Nodes;
  readonly actor: Actor;
  readonly quotas: Quotas;
  /** Nodes that a domain already owns; undefined if they are counted later, at a transaction's end. */
  readonly ownedBy: ((domid: number) => number) | undefined;
  /** Whether a domain can own nodes. */
  readonly isDomain: (domid: number) => boolean;
  readonly changed: (change: Change) => void;
}

/** @throws {StoreError} `ENOENT`, `EACCES` */
export function lookUp({ nodes, actor }: OperationContext, path: string): TreeNode {
  demand(nodes, path, actor, 'read');
  return nodes.get(path)!;
}

/**
 * WRITE: sets a value, creating the node and its missing parents.
 *
 * @throws {StoreError} `EACCES`, and `ENOSPC` for a guest's limits
 */
export function write(context: OperationContext, path: string, value: string): void {
  const { nodes, actor } = context;
  const node = nodes.get(path);
  if (node === undefined) {
    create(context, path, value);
    return;
  }
  demand(nodes, path, actor, 'write');
  demandSize(context, { ...node, value });
  nodes.change(path).value = value;
  report(context, path, 'node');
}

/**
 * MKDIR: creates an empty node and its missing parents; nothing happens if it exists.
 *
 * @throws {StoreError} `EACCES`, and `ENOSPC` for a guest's limits
 */
export function makeDirectory(context: OperationContext, path: string): void {
  if (context.nodes.get(path) === undefined) create(context, path, '');
  else demand(context.nodes, path, context.actor, 'write');
}

/**
 * RM: removes a node with everything below; nothing happens when only the last component is missing.
 *
 * @throws {StoreError} `EINVAL` for `/`, `ENOENT` when the parent is missing too, `EACCES`; `EINVAL` and `EIO` in
 *   a transaction whose view is no longer consistent, because of another writer
 */
export function remove(context: OperationContext, path: string): void {
  const { nodes, actor } = context;
  if (path === '/') throw new StoreError('EINVAL', path);
  try {
    demand(nodes, path, actor, 'write');
  } catch (error) {
    const lastIsMissing = error instanceof StoreError && error.code === 'ENOENT';
    if (lastIsMissing && nodes.get(parentOf(path)) !== undefined) return;
    throw error;
  }
  const visibleBy = permissionsAround(nodes, path);
  // A transaction may have seen the parent missing before another client created it: it will end with EAGAIN, but
  // this is what the daemon answers until then.
  if (nodes.get(parentOf(path)) === undefined) throw new StoreError('EINVAL', path);
  removeBelow(context, path);
  nodes.remove(path);
  context.changed({ path, reach: 'node', visibleBy });
}

/**
 * SET_PERMS.
 *
 * @throws {StoreError} `EACCES` except for the owner and domain 0; `EPERM` when a guest gives its node away;
 *   `ENOENT` when the node or the new owner is missing; `ENOSPC` for a guest's limits
 */
export function setPermissions(
  context: OperationContext,
  path: string,
  permissions: readonly Permission[],
): void {
  const { nodes, actor, quotas } = context;
  demandRoom(actor.domid, permissions.length, quotas.permissions);
  demand(nodes, path, actor, 'own');
  const node = nodes.get(path)!;
  const before = node.permissions;
  if (actor.domid !== 0 && permissions[0]!.domid !== before[0]!.domid) throw new StoreError('EPERM', path);
  if (!context.isDomain(permissions[0]!.domid)) throw new StoreError('ENOENT', path);
  demandSize(context, { ...node, permissions });
  nodes.setPermissions(
    path,
    voidEntries(permissions, (domid) => !context.isDomain(domid)),
  );
  context.changed({ path, reach: 'node', visibleBy: [before, ...permissionsAround(nodes, path)] });
}

/**
 * Removes what a domain owns, with everything below (`xenstored_domain.c: domain_tree_remove`). For domain 0's context,
 * outside transactions.
 */
export function removeOwnedBy(context: OperationContext, domid: number, path = '/'): void {
  const { permissions, children } = context.nodes.get(path)!;
  // A removal changes the list.
  if (path === '/' || permissions[0]!.domid !== domid) {
    for (const name of [...children]) removeOwnedBy(context, domid, childOf(path, name));
  } else {
    remove(context, path);
  }
}

function create(context: OperationContext, path: string, value: string): void {
  const { nodes, actor, quotas } = context;
  const above = nearestAncestor(nodes, path);
  demand(nodes, above, actor, 'write');
  const top = nodes.get(above)!;
  const permissions = inherited(top.permissions, actor);
  const missing = missingBelow(path, above);
  demandSize(context, { value, permissions, children: new Set() });
  demandSize(context, top, missing[0]!.length + 1);
  if (context.ownedBy !== undefined) {
    const owner = permissions[0]!.domid;
    demandRoom(actor.domid, context.ownedBy(owner) + missing.length, quotas.nodes);
  }
  let at = above;
  for (const [index, name] of missing.entries()) {
    at = childOf(at, name);
    nodes.add(at, index === missing.length - 1 ? value : '', permissions);
  }
  report(context, path, 'node');
}

/** A new node has its parent's permissions; what a guest creates is its own (`xenstore.txt: Permissions`). */
function inherited(permissions: readonly KeptPermission[], actor: Actor): readonly KeptPermission[] {
  const first = permissions[0]!;
  if (actor.domid === 0 || first.domid === actor.domid) return permissions;
  return [{ domid: actor.domid, access: first.access }, ...permissions.slice(1)];
}

function missingBelow(path: string, above: string): string[] {
  return path.slice(above === '/' ? 1 : above.length + 1).split('/');
}

function demandSize(context: OperationContext, node: Parameters<typeof nodeBytes>[0], extraBytes = 0): void {
  const { actor, quotas } = context;
  if (actor.domid !== 0) demandRoom(actor.domid, nodeBytes(node) + extraBytes, quotas.nodeBytes - 1);
}

function removeBelow(context: OperationContext, path: string): void {
  const { nodes } = context;
  for (const name of [...nodes.get(path)!.children]) {
    const child = childOf(path, name);
    // Listed when the transaction saw the parent, but since removed by another client.
    if (nodes.get(child) === undefined) throw new StoreError('EIO', child);
    const visibleBy = permissionsAround(nodes, child);
    removeBelow(context, child);
    nodes.remove(child);
    context.changed({ path: child, reach: 'exact', visibleBy });
  }
}

/**
 * Peeks: a transaction that writes a node must not come to depend on the node's parent. Nor need there be a parent in
 * its view, if another client has created it since.
 */
function permissionsAround(nodes: Nodes, path: string): (readonly KeptPermission[])[] {
  const own = nodes.peek(path)!.permissions;
  const parent = nodes.peek(parentOf(path));
  return parent === undefined ? [own] : [own, parent.permissions];
}

function report(context: OperationContext, path: string, reach: Change['reach']): void {
  context.changed({ path, reach, visibleBy: permissionsAround(context.nodes, path) });
}
