/** The limits for guests; for domain 0 only the length of a path is limited. */
import { StoreError } from './errors.js';
import type { TreeNode } from './tree.js';

/** Limits of one guest. */
export interface Quotas {
  /** Watches of one connection; one more than this is still accepted, as in the daemon. */
  readonly watches: number;
  /** Open transactions of one connection; one more than this is still accepted. */
  readonly transactions: number;
  /** Nodes owned. */
  readonly nodes: number;
  /** Bytes of one node: {@link nodeBytes}. A node must stay below. */
  readonly nodeBytes: number;
  /** Entries in a node's permissions. */
  readonly permissions: number;
  /** Nodes that one transaction may touch. */
  readonly transactionNodes: number;
  /** Bytes of a path without a leading `/local/domain/N/`. Applies to domain 0 too. */
  readonly pathBytes: number;
}

/** The defaults of the C daemon of Xen 4.17. */
export const DEFAULT_QUOTAS: Quotas = {
  watches: 128,
  transactions: 10,
  nodes: 1000,
  nodeBytes: 2048,
  permissions: 5,
  transactionNodes: 1024,
  pathBytes: 2048,
};

const NODE_HEADER_BYTES = 24;
const PERMISSION_BYTES = 8;

/**
 * Bytes that the daemon counts for a node: header, permissions, value, and each child's name with its NUL.
 */
export function nodeBytes(node: Pick<TreeNode, 'value' | 'permissions' | 'children'>): number {
  let bytes = NODE_HEADER_BYTES + PERMISSION_BYTES * node.permissions.length + node.value.length;
  for (const name of node.children) bytes += name.length + 1;
  return bytes;
}

/**
 * Refuses when a guest has more than its limit.
 *
 * @param domid 0 is never refused
 * @throws {StoreError} `code`, by default `ENOSPC`
 */
export function demandRoom(
  domid: number,
  count: number,
  limit: number,
  code: 'ENOSPC' | 'E2BIG' = 'ENOSPC',
): void {
  if (domid !== 0 && count > limit) throw new StoreError(code);
}
