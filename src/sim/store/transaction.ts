/**
 * Transactions (`xenstore.txt: Transactions`): a private view over the store that is committed at the end, if no node
 * that was read or written has changed meanwhile. That includes missing nodes that were asked for.
 */

import { StoreError } from './errors.js';
import type { Change } from './operations.js';
import type { KeptPermission } from './permissions.js';
import { demandRoom, type Quotas } from './quota.js';
import { cloneNode, type Nodes, nameOf, parentOf, type Tree, type TreeNode } from './tree.js';

interface Touched {
  /** The node when it was first seen; never changed. */
  readonly before: TreeNode | undefined;
  /** The node as the transaction sees it: {@link before} itself until it is changed. */
  now: TreeNode | undefined;
  change?: Change;
}

/** One open transaction. */
export class Transaction implements Nodes {
  readonly #tree: Tree;
  readonly #domid: number;
  readonly #quotas: Quotas;
  /** In order of first access, which is the order in which events are sent. */
  readonly #touched = new Map<string, Touched>();

  constructor(tree: Tree, domid: number, quotas: Quotas) {
    this.#tree = tree;
    this.#domid = domid;
    this.#quotas = quotas;
  }

  get(path: string): TreeNode | undefined {
    return this.#touch(path).now;
  }

  peek(path: string): TreeNode | undefined {
    const touched = this.#touched.get(path);
    return touched === undefined ? this.#tree.get(path) : touched.now;
  }

  change(path: string): TreeNode {
    const touched = this.#touch(path);
    if (touched.now === touched.before) touched.now = cloneNode(touched.now!);
    touched.now!.generation = this.#tree.nextGeneration();
    return touched.now!;
  }

  add(path: string, value: string, permissions: readonly KeptPermission[]): void {
    const generation = this.#tree.nextGeneration();
    this.#touch(path).now = { value, permissions, children: new Set(), generation, shared: false };
    this.change(parentOf(path)).children.add(nameOf(path));
  }

  remove(path: string): void {
    this.#touch(path).now = undefined;
    this.change(parentOf(path)).children.delete(nameOf(path));
  }

  setPermissions(path: string, permissions: readonly KeptPermission[]): void {
    this.change(path).permissions = permissions;
  }

  /** Records what watches are to be told about; of several changes to a node, the last. */
  changed(change: Change): void {
    this.#touch(change.path).change = change;
  }

  /**
   * Commits everything, or nothing.
   *
   * @returns one change per node, in the order in which the nodes were first accessed; none for a node that was created
   *   and removed again
   * @throws {StoreError} `EAGAIN` when there was another writer, `ENOSPC` when a guest would own too many
   *   nodes
   */
  commit(): Change[] {
    let owned = 0;
    for (const [path, { before, now }] of this.#touched) {
      if (this.#tree.get(path)?.generation !== before?.generation) throw new StoreError('EAGAIN');
      owned += Number(this.#owns(now)) - Number(this.#owns(before));
    }
    if (owned > 0) demandRoom(this.#domid, this.#tree.ownedBy(this.#domid) + owned, this.#quotas.nodes);
    const changes: Change[] = [];
    for (const [path, { before, now, change }] of this.#touched) {
      if (now !== before) this.#tree.set(path, now);
      if (change !== undefined && (now ?? before) !== undefined) changes.push(change);
    }
    return changes;
  }

  #owns(node: TreeNode | undefined): boolean {
    return node !== undefined && node.permissions[0]!.domid === this.#domid;
  }

  #touch(path: string): Touched {
    let touched = this.#touched.get(path);
    if (touched === undefined) {
      demandRoom(this.#domid, this.#touched.size + 1, this.#quotas.transactionNodes);
      const before = this.#tree.get(path);
      if (before !== undefined) before.shared = true;
      touched = { before, now: before };
      this.#touched.set(path, touched);
    }
    return touched;
  }
}
