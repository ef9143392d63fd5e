/** The simulated store without a wire, for actors in the same process. */
import type { Permission } from '../../xenstore/permissions.js';
import { absolutePath } from './access.js';
import { Client } from './client.js';
import type { Daemon } from './daemon.js';
import { StoreError } from './errors.js';
import { lookUp, makeDirectory, remove, setPermissions, write } from './operations.js';
import type { TreeNode } from './tree.js';

/**
 * A domain's access to a store. Asynchronous, although the simulated one is in memory, so that the same actors also
 * work on a real store. Paths may be relative to the domain's directory.
 *
 * Refusals reject; those of the simulated store are a {@link StoreError} with the daemon's errno.
 */
export interface StoreHandle {
  /** The value as UTF-8; undefined when the node is missing. */
  read(path: string): Promise<string | undefined>;
  /** The names of the children in order of creation; undefined when the node is missing. */
  directory(path: string): Promise<string[] | undefined>;
  /** Sets a value; creates missing parents. */
  write(path: string, value: string): Promise<void>;
  /** Sets a value if the node exists, in one step; false when it does not. */
  writeExisting(path: string, value: string): Promise<boolean>;
  /** Creates an empty node if there is none; creates missing parents. */
  mkdir(path: string): Promise<void>;
  /** Removes a node and everything below; a missing node is fine, a missing parent is not. */
  rm(path: string): Promise<void>;
  /** The first entry names the owner and everyone else's access. */
  setPermissions(path: string, permissions: readonly Permission[]): Promise<void>;
  /** Calls `onEvent` once soon, then for each change of the node or below. Returns a function that ends it. */
  watch(path: string, onEvent: (path: string) => void): Promise<() => Promise<void>>;
}

/** A {@link StoreHandle} on a simulated daemon. */
export class DirectHandle implements StoreHandle {
  readonly #daemon: Daemon;
  readonly #client: Client;
  readonly #listeners = new Map<string, (path: string) => void>();
  #nextToken = 1;

  constructor(daemon: Daemon, domid: number) {
    this.#daemon = daemon;
    this.#client = new Client(daemon, domid, {
      notify: (path, token) => this.#notify(path, token),
      released: () => this.#listeners.clear(),
    });
  }

  async read(path: string): Promise<string | undefined> {
    const value = this.#find(path)?.value;
    return value === undefined ? undefined : Buffer.from(value, 'latin1').toString('utf8');
  }

  async directory(path: string): Promise<string[] | undefined> {
    const children = this.#find(path)?.children;
    return children === undefined ? undefined : [...children];
  }

  async write(path: string, value: string): Promise<void> {
    write(this.#client.context(0), this.#absolute(path), Buffer.from(value).toString('latin1'));
  }

  async writeExisting(path: string, value: string): Promise<boolean> {
    if (this.#find(path) === undefined) return false;
    await this.write(path, value);
    return true;
  }

  async mkdir(path: string): Promise<void> {
    makeDirectory(this.#client.context(0), this.#absolute(path));
  }

  async rm(path: string): Promise<void> {
    remove(this.#client.context(0), this.#absolute(path));
  }

  async setPermissions(path: string, permissions: readonly Permission[]): Promise<void> {
    if (permissions.length === 0) throw new StoreError('EINVAL', path);
    setPermissions(this.#client.context(0), this.#absolute(path), [...permissions]);
  }

  async watch(path: string, onEvent: (path: string) => void): Promise<() => Promise<void>> {
    const token = String(this.#nextToken);
    this.#nextToken += 1;
    this.#daemon.watches.add(this.#client, path, token);
    this.#listeners.set(token, onEvent);
    this.#notify(path, token);
    return async () => {
      if (this.#listeners.delete(token)) this.#daemon.watches.remove(this.#client, path, token);
    };
  }

  #notify(path: string, token: string): void {
    // Two turns, so that whoever awaits watch() has its answer before the first event. Looked up late: a watch that was
    // ended meanwhile gets no more events.
    queueMicrotask(() => queueMicrotask(() => this.#listeners.get(token)?.(path)));
  }

  #absolute(path: string): string {
    return absolutePath(path, this.#client.actor.domid, this.#daemon.quotas.pathBytes);
  }

  #find(path: string): TreeNode | undefined {
    try {
      return lookUp(this.#client.context(0), this.#absolute(path));
    } catch (error) {
      if (error instanceof StoreError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
