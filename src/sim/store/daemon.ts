/** What all clients of one simulated daemon share: the nodes, the watches, and which domains exist. */
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN } from '../../xenstore/path.js';
import { PAYLOAD_MAX_BYTES } from '../../xenstore/wire.js';
import { removeOwnedBy } from './operations.js';
import type { Actor } from './permissions.js';
import { DEFAULT_QUOTAS, type Quotas } from './quota.js';
import type { Traits } from './release.js';
import { Tree } from './tree.js';
import { Watches } from './watches.js';

/** DOMID_SELF: whoever asks exists (`xen.h`). */
const DOMID_SELF = 0x7ff0;

/** A client, as far as the daemon is concerned. */
export interface DaemonClient {
  readonly actor: Actor;
  /** How many transactions it has open. */
  readonly openTransactions: number;
  /** Its domain is gone. */
  released(): void;
}

/** The state of one simulated daemon. */
export class Daemon {
  readonly quotas: Quotas;
  readonly traits: Traits;
  readonly tree = new Tree();
  readonly watches: Watches;
  readonly clients = new Set<DaemonClient>();
  readonly #domains = new Set<number>([0]);
  readonly #targets = new Map<number, number>();
  #nextOrder = 0;

  constructor(quotas: Partial<Quotas>, traits: Traits) {
    this.quotas = { ...DEFAULT_QUOTAS, ...quotas };
    this.traits = traits;
    this.watches = new Watches(this);
  }

  /** How long a path of a domain may be. */
  pathLimitOf(domid: number): number {
    return domid === 0 && this.traits.longPathsOfDomain0 ? PAYLOAD_MAX_BYTES : this.quotas.pathBytes;
  }

  /** A number for a new client; events go to earlier clients first. */
  takeOrder(): number {
    this.#nextOrder += 1;
    return this.#nextOrder;
  }

  /** True for domain 0 and for what was introduced and not released. */
  isDomain(domid: number): boolean {
    return this.#domains.has(domid);
  }

  /** The answer of IS_DOMAIN_INTRODUCED. */
  isIntroduced(domid: number): boolean {
    return domid === DOMID_SELF || this.isDomain(domid);
  }

  /** Makes a domain known without telling anyone. */
  adopt(domid: number): void {
    this.#domains.add(domid);
  }

  /** INTRODUCE: fires `@introduceDomain`, unless the domain is already known. */
  introduce(domid: number): void {
    if (this.isDomain(domid)) return;
    this.adopt(domid);
    this.#fireSpecial(INTRODUCE_DOMAIN);
  }

  /**
   * A domain is gone: ends its clients, removes what it owns, removes what other nodes' permissions gave it, and fires
   * `@releaseDomain` when all that is done.
   */
  release(domid: number): void {
    this.#domains.delete(domid);
    this.#targets.delete(domid);
    for (const client of [...this.clients]) if (client.actor.domid === domid) client.released();
    removeOwnedBy(
      {
        nodes: this.tree,
        actor: { domid: 0 },
        quotas: this.quotas,
        ownedBy: (owner) => this.tree.ownedBy(owner),
        isDomain: (owner) => this.isDomain(owner),
        changed: (change) => this.watches.fire(change),
      },
      domid,
    );
    this.tree.voidEntriesOf(domid);
    this.#fireSpecial(RELEASE_DOMAIN);
  }

  /** A domain has shut down but still exists: `@releaseDomain` fires for that too, before its toolstack acts. */
  shutDown(domid: number): void {
    if (this.isDomain(domid)) this.#fireSpecial(RELEASE_DOMAIN);
  }

  /** SET_TARGET: lets `domid` do what `target` may (a device model's own domain does). */
  setTarget(domid: number, target: number): void {
    this.#targets.set(domid, target);
  }

  /** The domain that `domid` stands in for. */
  targetOf(domid: number): number | undefined {
    return this.#targets.get(domid);
  }

  /** A domain appeared or disappeared; the special name's permissions say which guests are told. */
  #fireSpecial(name: string): void {
    this.watches.fire({ path: name, reach: 'exact', visibleBy: [this.tree.get(name)!.permissions] });
  }
}
