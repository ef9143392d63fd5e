/** What all clients of one simulated daemon share: the nodes, the watches, and which domains exist. */
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN } from '../../xenstore/path.js';
import { removeOwnedBy } from './operations.js';
import type { Actor } from './permissions.js';
import { DEFAULT_QUOTAS, type Quotas } from './quota.js';
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
  readonly tree = new Tree();
  readonly watches: Watches;
  readonly clients = new Set<DaemonClient>();
  readonly #domains = new Set<number>([0]);
  readonly #targets = new Map<number, number>();
  #nextOrder = 0;

  constructor(quotas: Partial<Quotas> = {}) {
    this.quotas = { ...DEFAULT_QUOTAS, ...quotas };
    this.watches = new Watches(this.quotas);
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
    this.watches.fireSpecial(INTRODUCE_DOMAIN);
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
    this.watches.voidEntriesOf(domid);
    this.watches.fireSpecial(RELEASE_DOMAIN);
  }

  /** A domain has shut down but still exists: `@releaseDomain` fires for that too, before its toolstack acts. */
  shutDown(domid: number): void {
    if (this.isDomain(domid)) this.watches.fireSpecial(RELEASE_DOMAIN);
  }

  /** SET_TARGET: lets `domid` do what `target` may (a device model's own domain does). */
  setTarget(domid: number, target: number): void {
    this.#targets.set(domid, target);
  }

  /** The domain that `domid` stands in for. */
  targetOf(domid: number): number | undefined {
    return this.#targets.get(domid);
  }
}
