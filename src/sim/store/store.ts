/**
 * Our own xenstored, in memory: it speaks the wire protocol and behaves like the C daemon of Xen, of a release of one's choice.
 */
import type { Transport } from '../../xenstore/transport.js';
import { Connection, type ConnectionHooks, type StoreFate, type StoreRequest } from './connection.js';
import { Daemon } from './daemon.js';
import { formatTree, parseTree } from './dump.js';
import { DirectHandle, type StoreHandle } from './handle.js';
import type { Quotas } from './quota.js';
import { TRAITS, type XenstoreVersion } from './release.js';
import type { StoreCopy, TreeCopy } from './tree.js';

/** How a simulated store differs from the daemon's defaults. */
export interface SimStoreOptions {
  /** The guests' limits; the C daemon's defaults where not given. */
  readonly quotas?: Partial<Quotas>;
  /** The release of Xen whose C daemon it behaves like; 4.17 where not given. */
  readonly version?: XenstoreVersion;
}

/** What a host has before its first guest. */
const FRESH = `\
/local/domain/0/domid = "0"   (n0)
/local/domain/0/name = "Domain-0"   (n0)
/tool/xenstored = ""   (n0)
`;

/** One simulated store. */
export class SimStore {
  /** Sees every request on a connection, before {@link intercept}. Handles bypass it. */
  onRequest?: (request: StoreRequest) => void;
  /** Decides what becomes of each request on a connection. */
  intercept?: (request: StoreRequest) => StoreFate;

  readonly #daemon: Daemon;
  readonly #connections = new Set<Connection>();
  readonly #handles = new Map<number, StoreHandle>();
  readonly #hooks: ConnectionHooks;
  #held: (() => void)[] = [];

  constructor(options: SimStoreOptions = {}) {
    this.#daemon = new Daemon(options.quotas ?? {}, TRAITS[options.version ?? '4.17']);
    const judge = (request: StoreRequest): StoreFate => {
      this.onRequest?.(request);
      return this.intercept?.(request) ?? 'pass';
    };
    this.#hooks = {
      judge: () => (this.onRequest === undefined && this.intercept === undefined ? undefined : judge),
      hold: (resume) => this.#held.push(resume),
      ended: (connection) => this.#connections.delete(connection),
    };
    this.load(FRESH);
  }

  /** Connections that neither side has ended. Handles do not count. */
  get openConnections(): number {
    return this.#connections.size;
  }

  /** Transactions that were started and not ended. */
  get openTransactions(): number {
    let open = 0;
    for (const client of this.#daemon.clients) open += client.openTransactions;
    return open;
  }

  /** Watches of all connections and handles. */
  get watchCount(): number {
    return this.#daemon.watches.size;
  }

  /**
   * A new connection of a domain. Requests may arrive split anywhere; replies and events come in microtasks.
   */
  connect(domid: number): Transport {
    const connection = new Connection(this.#daemon, domid, this.#hooks);
    this.#connections.add(connection);
    return connection;
  }

  /** A domain's access without a wire, the same each time. It is subject to the domain's permissions and limits. */
  handle(domid: number): StoreHandle {
    let handle = this.#handles.get(domid);
    if (handle === undefined) {
      handle = new DirectHandle(this.#daemon, domid);
      this.#handles.set(domid, handle);
    }
    return handle;
  }

  /** A domain appears: `@introduceDomain` fires, unless it already exists. From then on it may own nodes. */
  introduce(domid: number): void {
    this.#daemon.introduce(domid);
  }

  /**
   * A domain died: its connections end, its watches and transactions are gone. The nodes that it owned are removed,
   * with everything below; what the permissions of other nodes gave it does not apply to a later domain with its
   * number. Last, `@releaseDomain` fires.
   */
  release(domid: number): void {
    this.#daemon.release(domid);
  }

  /** A domain shut down, as a rebooting guest does: `@releaseDomain` fires, and all its nodes still exist. */
  shutDown(domid: number): void {
    this.#daemon.shutDown(domid);
  }

  /** All nodes but the root, one sorted line each, as `xenstore-ls -fp` prints them: `/a = "1"   (n0,r1)`. */
  dump(): string {
    return formatTree(this.#daemon.tree);
  }

  /**
   * Replaces all nodes by those of a {@link dump}; children are then in the text's order. Each
   * `/local/domain/N` makes domain N known. No watch fires; open transactions that looked at a node will end
   * with `EAGAIN`.
   *
   * @throws {StoreError} `EINVAL` with the invalid line
   */
  load(lines: string): void {
    const { tree } = this.#daemon;
    parseTree(tree, lines);
    for (const name of tree.get('/local/domain')?.children ?? []) {
      if (/^\d+$/.test(name)) this.#daemon.adopt(Number(name));
    }
  }

  /** All nodes as they are now, for {@link begin}. */
  copy(): StoreCopy {
    return this.#daemon.tree.copy();
  }

  /** Same as creating the nodes of a {@link copy} one by one, in a store that nobody has used yet. No watch fires. */
  begin(copy: StoreCopy): void {
    this.#daemon.tree.become(copy as TreeCopy);
  }

  /** Carries out and answers what `hold` held back, in order. */
  releaseHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const resume of held) resume();
  }
}
