/** Watches (`xenstore.txt: Watches`): who is told about which change, and in which order. */

import { INTRODUCE_DOMAIN, RELEASE_DOMAIN } from '../../xenstore/path.js';
import { PAYLOAD_MAX_BYTES } from '../../xenstore/wire.js';
import { absolutePath, homeOf } from './access.js';
import { StoreError } from './errors.js';
import type { Change } from './operations.js';
import { type Actor, allows, type KeptPermission, voidEntries } from './permissions.js';
import { demandRoom, type Quotas } from './quota.js';
import { parentOf } from './tree.js';

/** Who sets watches and gets events. */
export interface Watcher {
  readonly actor: Actor;
  /** Connections are served in the order of this number. */
  readonly order: number;
  /** Takes an event: the path as the watcher knows it, and the token. */
  notify(path: string, token: string): void;
}

interface Watch {
  readonly watcher: Watcher;
  /** Absolute path or special name. */
  readonly node: string;
  readonly token: string;
  /** What to strip from an absolute path for a watch that was set with a relative one. */
  readonly cut: number;
  readonly order: number;
}

/** The two special names whose permissions can be set (`xenstore.txt: @introduceDomain`). */
export const SPECIAL_NAMES: readonly string[] = [INTRODUCE_DOMAIN, RELEASE_DOMAIN];

const ONLY_DOMAIN_0: readonly KeptPermission[] = [{ domid: 0, access: 'none' }];

/** All watches of all connections. */
export class Watches {
  /** By watched node, so that a change costs its depth and not the number of watches. */
  readonly #byNode = new Map<string, Watch[]>();
  readonly #byWatcher = new Map<Watcher, Set<Watch>>();
  readonly #specialPermissions = new Map<string, readonly KeptPermission[]>();
  readonly #quotas: Quotas;
  #count = 0;
  #nextOrder = 0;

  constructor(quotas: Quotas) {
    this.#quotas = quotas;
  }

  /** How many watches there are. */
  get size(): number {
    return this.#count;
  }

  /**
   * WATCH. The caller has to send the first event, as it follows the reply.
   *
   * @param path as the watcher sent it; any `@name` is accepted
   * @throws {StoreError} `EINVAL`, `EEXIST`, and `E2BIG` when a guest has too many
   */
  add(watcher: Watcher, path: string, token: string): void {
    const { domid } = watcher.actor;
    const node = path.startsWith('@') ? path : absolutePath(path, domid, this.#quotas.pathBytes);
    if (this.#find(watcher, node, token) !== undefined) throw new StoreError('EEXIST', path);
    const own = this.#byWatcher.get(watcher) ?? new Set();
    demandRoom(domid, own.size, this.#quotas.watches, 'E2BIG');
    const cut = node === path ? 0 : homeOf(domid).length + 1;
    const watch: Watch = { watcher, node, token, cut, order: this.#nextOrder };
    this.#nextOrder += 1;
    this.#byWatcher.set(watcher, own.add(watch));
    const there = this.#byNode.get(node);
    if (there === undefined) this.#byNode.set(node, [watch]);
    else there.push(watch);
    this.#count += 1;
  }

  /** UNWATCH. @throws {StoreError} `ENOENT` */
  remove(watcher: Watcher, path: string, token: string): void {
    const home = homeOf(watcher.actor.domid);
    const node = path.startsWith('@') || path.startsWith('/') ? path : `${home}/${path}`;
    const watch = this.#find(watcher, node, token);
    if (watch === undefined) throw new StoreError('ENOENT', path);
    this.#drop(watch);
  }

  /** Drops all watches of one watcher. */
  removeAll(watcher: Watcher): void {
    for (const watch of this.#byWatcher.get(watcher) ?? []) this.#drop(watch);
  }

  /** Reports a changed node. */
  fire(change: Change): void {
    const reached: Watch[] = [...(this.#byNode.get(change.path) ?? [])];
    if (change.reach === 'node') {
      for (let at = change.path; at !== '/'; ) {
        at = parentOf(at);
        reached.push(...(this.#byNode.get(at) ?? []));
      }
    }
    this.#notify(reached, change.path, change.visibleBy);
  }

  /** Reports a domain that appeared or disappeared. */
  fireSpecial(name: string): void {
    const permissions = this.#specialPermissions.get(name) ?? ONLY_DOMAIN_0;
    this.#notify([...(this.#byNode.get(name) ?? [])], name, [permissions]);
  }

  /** SET_PERMS of a special name: which guests are told. */
  setSpecialPermissions(name: string, permissions: readonly KeptPermission[]): void {
    this.#specialPermissions.set(name, permissions);
  }

  /** Revokes what the special names' permissions gave to a dead domain. */
  voidEntriesOf(domid: number): void {
    for (const [name, permissions] of this.#specialPermissions) {
      this.#specialPermissions.set(
        name,
        voidEntries(permissions, (named) => named === domid),
      );
    }
  }

  /** Who owns a special name. */
  specialPermissions(name: string): readonly KeptPermission[] {
    return this.#specialPermissions.get(name) ?? ONLY_DOMAIN_0;
  }

  #notify(reached: Watch[], path: string, visibleBy: readonly (readonly KeptPermission[])[]): void {
    if (reached.length > 1) reached.sort(byOrder);
    for (const { watcher, token, cut } of reached) {
      if (!visibleBy.some((permissions) => allows(permissions, watcher.actor, 'read'))) continue;
      const shown = path.slice(cut);
      // As in the daemon: what does not fit into a message is not sent at all.
      if (shown.length + token.length + 2 <= PAYLOAD_MAX_BYTES) watcher.notify(shown, token);
    }
  }

  #find(watcher: Watcher, node: string, token: string): Watch | undefined {
    return this.#byNode.get(node)?.find((watch) => watch.watcher === watcher && watch.token === token);
  }

  #drop(watch: Watch): void {
    const there = this.#byNode.get(watch.node)!;
    there.splice(there.indexOf(watch), 1);
    if (there.length === 0) this.#byNode.delete(watch.node);
    const own = this.#byWatcher.get(watch.watcher)!;
    own.delete(watch);
    if (own.size === 0) this.#byWatcher.delete(watch.watcher);
    this.#count -= 1;
  }
}

function byOrder(a: Watch, b: Watch): number {
  return a.watcher.order - b.watcher.order || a.order - b.order;
}
