/**
 * The nodes of the simulated store: one flat map from absolute path to node, each node with the names of its children
 * in order of creation (the order in which DIRECTORY lists them).
 *
 * Values and names are "binary strings": one character per byte. They are immutable, so snapshots cost nothing.
 */
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN } from '../../xenstore/path.js';
import { type KeptPermission, voidEntries } from './permissions.js';

/** One node. */
export interface TreeNode {
  /** A binary string: one character per byte. */
  value: string;
  permissions: readonly KeptPermission[];
  /** Names of the children in order of creation. Never changed while {@link shared}. */
  children: Set<string>;
  /** When value, permissions or the list of children last changed; counts for the whole store. */
  generation: number;
  /** A transaction has seen this node: it must be replaced instead of changed. */
  shared: boolean;
}

/** What the operations work on: the store itself or a transaction's view of it. */
export interface Nodes {
  /** The node, read-only. */
  get(path: string): TreeNode | undefined;
  /** Like {@link get}, but a transaction does not come to depend on the node. */
  peek(path: string): TreeNode | undefined;
  /** The node, for changing; it gets a new generation. Only for a path that {@link get} found. */
  change(path: string): TreeNode;
  /** Adds a node that does not exist, below a parent that does. */
  add(path: string, value: string, permissions: readonly KeptPermission[]): void;
  /** Removes one node that no longer has children. */
  remove(path: string): void;
  /** Changes who owns a node and what others may do. */
  setPermissions(path: string, permissions: readonly KeptPermission[]): void;
}

/** The parent of an absolute path; `/` is the parent of itself. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

/** The last component of an absolute path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The absolute path of a child. */
export function childOf(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`;
}

/** A private copy of a node. */
export function cloneNode(node: TreeNode): TreeNode {
  return { ...node, children: new Set(node.children), shared: false };
}

/** The special names whose permissions can be set (`xenstore.txt: @introduceDomain`). */
export const SPECIAL_NAMES: readonly string[] = [INTRODUCE_DOMAIN, RELEASE_DOMAIN];

const ONLY_DOMAIN_0: readonly KeptPermission[] = [{ domid: 0, access: 'none' }];

/** All nodes at some moment, for {@link SimStore.begin}; what is in it is the store's own business. */
export interface StoreCopy {
  /** Grows with every change. */
  readonly generation: number;
}

/** All nodes at some moment. */
export interface TreeCopy extends StoreCopy {
  readonly nodes: ReadonlyMap<string, TreeNode>;
  readonly owned: ReadonlyMap<number, number>;
}

/** The committed nodes. There is always a root, and outside of it a node for the permissions of each special name. */
export class Tree implements Nodes {
  readonly #nodes = new Map<string, TreeNode>();
  readonly #owned = new Map<number, number>();
  #generation = 0;

  constructor() {
    this.clear();
  }

  /** Removes all nodes except an empty root and the special names. Generations keep counting, so that open transactions notice. */
  clear(): void {
    this.#nodes.clear();
    this.#owned.clear();
    for (const path of ['/', ...SPECIAL_NAMES]) {
      this.set(path, {
        value: '',
        permissions: ONLY_DOMAIN_0,
        children: new Set(),
        generation: this.nextGeneration(),
        shared: false,
      });
    }
  }

  /** All nodes as they are now. */
  copy(): TreeCopy {
    const nodes = new Map<string, TreeNode>();
    for (const [path, node] of this.#nodes) nodes.set(path, cloneNode(node));
    return { nodes, owned: new Map(this.#owned), generation: this.#generation };
  }

  /** Replaces all nodes by those of a copy. Nobody may have looked at this tree. */
  become({ nodes, owned, generation }: TreeCopy): void {
    this.#nodes.clear();
    // Its lists of children are copied only when they change.
    for (const [path, node] of nodes) this.#nodes.set(path, { ...node, shared: true });
    this.#owned.clear();
    for (const [domid, count] of owned) this.#owned.set(domid, count);
    this.#generation = generation;
  }

  /** A generation that no node has had yet. */
  nextGeneration(): number {
    this.#generation += 1;
    return this.#generation;
  }

  /** How many nodes a domain owns, for its quota. */
  ownedBy(domid: number): number {
    return this.#owned.get(domid) ?? 0;
  }

  /** Revokes what entries of other owners' nodes gave to a dead domain. No node counts as changed. */
  voidEntriesOf(domid: number): void {
    for (const node of this.#nodes.values()) {
      node.permissions = voidEntries(node.permissions, (named) => named === domid);
    }
  }

  /** Paths with their nodes, unsorted, and the special names with theirs. */
  entries(): IterableIterator<[string, TreeNode]> {
    return this.#nodes.entries();
  }

  get(path: string): TreeNode | undefined {
    return this.#nodes.get(path);
  }

  peek(path: string): TreeNode | undefined {
    return this.#nodes.get(path);
  }

  change(path: string): TreeNode {
    let node = this.#nodes.get(path)!;
    if (node.shared) {
      node = cloneNode(node);
      this.#nodes.set(path, node);
    }
    node.generation = this.nextGeneration();
    return node;
  }

  add(path: string, value: string, permissions: readonly KeptPermission[]): void {
    this.change(parentOf(path)).children.add(nameOf(path));
    this.set(path, {
      value,
      permissions,
      children: new Set(),
      generation: this.nextGeneration(),
      shared: false,
    });
  }

  remove(path: string): void {
    this.change(parentOf(path)).children.delete(nameOf(path));
    this.set(path, undefined);
  }

  setPermissions(path: string, permissions: readonly KeptPermission[]): void {
    const node = this.change(path);
    this.#count(node, -1);
    node.permissions = permissions;
    this.#count(node, 1);
  }

  /** Sets or removes exactly this node, leaving its parent's list alone: for the commit of a transaction. */
  set(path: string, node: TreeNode | undefined): void {
    this.#count(this.#nodes.get(path), -1);
    if (node === undefined) this.#nodes.delete(path);
    else this.#nodes.set(path, node);
    this.#count(node, 1);
  }

  #count(node: TreeNode | undefined, step: 1 | -1): void {
    if (node === undefined) return;
    const owner = node.permissions[0]!.domid;
    this.#owned.set(owner, this.ownedBy(owner) + step);
  }
}
