/** What the simulated daemon keeps for one client: who it is, its transactions, its watches. */

import type { Daemon, DaemonClient } from './daemon.js';
import { StoreError } from './errors.js';
import type { OperationContext } from './operations.js';
import type { Actor } from './permissions.js';
import { demandRoom } from './quota.js';
import { Transaction } from './transaction.js';
import type { Watcher } from './watches.js';

/** What a client does with what it is told about. */
export interface ClientEvents {
  /** A watch fired. */
  notify(path: string, token: string): void;
  /** The client's domain was released; transactions and watches are already gone. */
  released(): void;
}

/** One client of the simulated daemon. */
export class Client implements DaemonClient, Watcher {
  readonly actor: Actor;
  readonly order: number;
  readonly #daemon: Daemon;
  readonly #events: ClientEvents;
  readonly #transactions = new Map<number, Transaction>();
  readonly #direct: OperationContext;
  #nextTransaction = 1;

  constructor(daemon: Daemon, domid: number, events: ClientEvents) {
    this.actor = {
      domid,
      get target() {
        return daemon.targetOf(domid);
      },
    };
    this.order = daemon.takeOrder();
    this.#daemon = daemon;
    this.#events = events;
    this.#direct = {
      nodes: daemon.tree,
      actor: this.actor,
      quotas: daemon.quotas,
      ownedBy: (owner) => daemon.tree.ownedBy(owner),
      isDomain: (owner) => daemon.isDomain(owner),
      changed: (change) => daemon.watches.fire(change),
    };
    daemon.clients.add(this);
  }

  get openTransactions(): number {
    return this.#transactions.size;
  }

  notify(path: string, token: string): void {
    this.#events.notify(path, token);
  }

  /**
   * What this client's operations work on.
   *
   * @param transactionId 0 for none
   * @throws {StoreError} `ENOENT` when there is no such transaction of this client
   */
  context(transactionId: number): OperationContext {
    if (transactionId === 0) return this.#direct;
    const transaction = this.#transactions.get(transactionId);
    if (transaction === undefined) throw new StoreError('ENOENT');
    return {
      ...this.#direct,
      nodes: transaction,
      ownedBy: undefined,
      changed: (change) => transaction.changed(change),
    };
  }

  /** TRANSACTION_START. @throws {StoreError} `ENOSPC` when a guest has too many open */
  begin(): number {
    demandRoom(this.actor.domid, this.#transactions.size, this.#daemon.quotas.transactions);
    const id = this.#nextTransaction;
    this.#nextTransaction += 1;
    this.#transactions.set(id, new Transaction(this.#daemon.tree, this.actor.domid, this.#daemon.quotas));
    return id;
  }

  /**
   * TRANSACTION_END. The transaction is gone whatever the result.
   *
   * @throws {StoreError} `ENOENT`, `EAGAIN`, `ENOSPC`
   */
  end(transactionId: number, commit: boolean): void {
    const transaction = this.#transactions.get(transactionId);
    if (transaction === undefined) throw new StoreError('ENOENT');
    this.#transactions.delete(transactionId);
    if (!commit) return;
    for (const change of transaction.commit()) this.#daemon.watches.fire(change);
  }

  /** RESET_WATCHES: drops transactions and watches. */
  reset(): void {
    this.#transactions.clear();
    this.#daemon.watches.removeAll(this);
  }

  /** The client is gone. */
  leave(): void {
    this.reset();
    this.#daemon.clients.delete(this);
  }

  /** The client's domain is gone. */
  released(): void {
    this.reset();
    this.#events.released();
  }
}
