/** The xenstore client: nodes, transactions, watches and domains over one connection. */
import { type Clock, systemClock, unlessAborted } from '../async/index.js';
import { type Ask, type CallOptions, call } from './call.js';
import { Connection } from './connection.js';
import { isXenstoreError, XenstoreError } from './errors.js';
import { isWatchable } from './path.js';
import type { Transport } from './transport.js';
import { StoreView } from './view.js';
import { Watch } from './watch.js';
import { decodeStrings, describeType, MessageType } from './wire.js';

/** Attempts at a transaction that keeps conflicting with other writers. */
const TRANSACTION_ATTEMPTS = 100;

/** Attempts in which EIO or EINVAL is taken as a sign of another writer. */
const TORN_ATTEMPTS = 4;

/** Longest pause between two attempts. */
const TRANSACTION_PAUSE_MS = 50;

/** What a client needs besides its transport. */
export interface ClientOptions {
  readonly clock?: Clock;
  /** Spreads competing writers; 0 to 1. */
  readonly random?: () => number;
}

/** Options of a transaction. */
export interface TransactionOptions extends CallOptions {
  /** How often it is tried before `too-many-retries`; 100 unless given. */
  readonly attempts?: number | undefined;
}

/**
 * A client of xenstored. Calls may be made without waiting for earlier ones: they are sent together.
 *
 * Every call rejects with {@link XenstoreError}, or with the reason of its signal. When the connection is lost
 * every pending call and watch fails with `connection-lost`, and so does every later one: open a new client.
 */
export class XenstoreClient extends StoreView implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #watches: Map<string, Watch>;
  #nextToken = 1;

  /** Takes a transport that has not been started. See {@link openXenstore} for the usual way. */
  constructor(transport: Transport, options: ClientOptions = {}) {
    const watches = new Map<string, Watch>();
    const connection = new Connection(transport, {
      onEvent: (path, token) => watches.get(token)?.mark(path),
      onClosed: (error) => {
        for (const watch of watches.values()) watch.fail(error);
        watches.clear();
      },
    });
    super(connection, 0);
    this.#connection = connection;
    this.#watches = watches;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
  }

  /** Requests not answered yet; 0 when nothing leaks. */
  get pendingCount(): number {
    return this.#connection.pendingCount;
  }

  /** Watches not closed yet. */
  get watchCount(): number {
    return this.#watches.size;
  }

  /** True once the connection has ended. */
  get closed(): boolean {
    return this.#connection.closed !== undefined;
  }

  /**
   * Runs `body` in a transaction: all of its writes happen at once, or none. If another writer interfered (EAGAIN)
   * everything is done again, so `body` must change nothing but the view it is given.
   *
   * @throws {XenstoreError} `too-many-retries` after `attempts`; whatever `body` throws, with nothing written.
   *   After `connection-lost` or an abort during the commit it is not known whether the writes happened.
   */
  async transaction<T>(body: (view: StoreView) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const attempts = options.attempts ?? TRANSACTION_ATTEMPTS;
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (attempt > 1) await this.#pause(attempt, options.signal);
      const transactionId = await this.#begin(options);
      let result: T;
      try {
        result = await body(new StoreView(this.#connection, transactionId));
        // From here on the end is sent, whatever the signal does.
        options.signal?.throwIfAborted();
      } catch (error) {
        const ended = this.#abort(transactionId);
        // After an abort there is no waiting for a daemon that may not answer.
        if (options.signal?.aborted) throw error;
        await ended;
        // After a conflict with another writer the C daemon may report these before the end.
        if (attempt < TORN_ATTEMPTS && isXenstoreError(error, 'EIO', 'EINVAL')) continue;
        throw error;
      }
      if (await this.#commit(transactionId, options)) return result;
    }
    throw new XenstoreError(
      'too-many-retries',
      'transaction',
      undefined,
      `another writer interfered ${attempts} times`,
    );
  }

  /** Starts a transaction. If it is abandoned while its number is on the way, it is ended when the number arrives. */
  async #begin(options: CallOptions): Promise<number> {
    options.signal?.throwIfAborted();
    // A NUL as payload, as libxenstore sends: oxenstored would not answer an empty request.
    const started = this.#ask({ type: MessageType.transactionStart, text: '\0' }).then((payload) =>
      parseNumber(payload, 'transactionStart'),
    );
    try {
      return await unlessAborted(started, options.signal);
    } catch (error) {
      started.then(
        (transactionId) => this.#abort(transactionId),
        () => undefined,
      );
      throw error;
    }
  }

  async #commit(transactionId: number, options: CallOptions): Promise<boolean> {
    // Sent without the signal: a request that is dropped before it is sent would leave the transaction open.
    const ended = this.#ask({ type: MessageType.transactionEnd, transactionId, text: 'T\0' });
    try {
      await unlessAborted(ended, options.signal);
      return true;
    } catch (error) {
      if (isXenstoreError(error, 'EAGAIN')) return false;
      throw error;
    }
  }

  /** Ends a transaction without its writes. Not abortable: a forgotten one would stay open in the daemon. */
  async #abort(transactionId: number): Promise<void> {
    try {
      await this.#ask({ type: MessageType.transactionEnd, transactionId, text: 'F\0' });
    } catch {
      // Already gone (ENOENT, EIO, a lost connection): then nothing is left of it either.
    }
  }

  #pause(attempt: number, signal: AbortSignal | undefined): Promise<void> {
    const longest = Math.min(TRANSACTION_PAUSE_MS, 2 ** Math.min(attempt, 6));
    return this.#clock.sleep(longest * this.#random(), signal);
  }

  /**
   * Watches a path and everything below it, or `@introduceDomain` / `@releaseDomain`. Resolves when the daemon
   * has set the watch; nothing that changes from then on is missed.
   */
  async watch(path: string, options: CallOptions = {}): Promise<Watch> {
    if (!isWatchable(path)) {
      throw new XenstoreError(
        'invalid-path',
        'watch',
        undefined,
        `${JSON.stringify(path)} cannot be watched`,
      );
    }
    options.signal?.throwIfAborted();
    const token = `w${this.#nextToken++}`;
    const payload = `${path}\0${token}\0`;
    const watch = new Watch(path, async () => {
      if (!this.#forget(token)) return;
      try {
        await this.#ask({ type: MessageType.unwatch, path, text: payload });
      } catch (error) {
        if (!isXenstoreError(error, 'ENOENT', 'connection-lost')) throw error;
      }
    });
    // Registered before it is asked for: the first event may come with the answer.
    this.#watches.set(token, watch);
    this.#connection.awaitEvents(true);
    try {
      await this.#ask({ type: MessageType.watch, path, text: payload }, options);
      return watch;
    } catch (error) {
      if (isXenstoreError(error)) this.#forget(token);
      // Abandoned while on its way: the daemon may have set it.
      // Not waited for, since it may not answer.
      else watch.close().catch(() => undefined);
      throw error;
    }
  }

  #forget(token: string): boolean {
    const known = this.#watches.delete(token);
    this.#connection.awaitEvents(this.#watches.size > 0);
    return known;
  }

  /** A domain's home in the store: `/local/domain/3`. */
  async domainPath(domid: number, options?: CallOptions): Promise<string> {
    const payload = await this.#ask({ type: MessageType.getDomainPath, text: `${domid}\0` }, options);
    return decodeStrings(payload)[0] ?? '';
  }

  /** Whether xenstored talks to a domain: true from its introduction to its death. */
  async isIntroduced(domid: number, options?: CallOptions): Promise<boolean> {
    const payload = await this.#ask({ type: MessageType.isDomainIntroduced, text: `${domid}\0` }, options);
    return payload[0] === 0x54;
  }

  /** Tells xenstored about a new domain, the frame of its ring page and its event channel. For domain builders. */
  async introduce(
    domain: { readonly domid: number; readonly frame: number; readonly eventChannel: number },
    options?: CallOptions,
  ): Promise<void> {
    const text = `${domain.domid}\0${domain.frame}\0${domain.eventChannel}\0`;
    await this.#ask({ type: MessageType.introduce, text }, options);
  }

  /**
   * Tells xenstored that a domain is gone.
   *
   * @throws {XenstoreError} `EINVAL` for domain 0, without asking: oxenstored would remove its home
   */
  async release(domid: number, options?: CallOptions): Promise<void> {
    if (!(domid > 0)) throw new XenstoreError('EINVAL', 'release', undefined, 'domain 0 cannot be released');
    await this.#ask({ type: MessageType.release, text: `${domid}\0` }, options);
  }

  /** Tells xenstored that a domain continues after a suspend. */
  async resume(domid: number, options?: CallOptions): Promise<void> {
    await this.#ask({ type: MessageType.resume, text: `${domid}\0` }, options);
  }

  /** Gives domain `domid` the rights of `target` (a stub domain serving it). */
  async setTarget(
    domain: { readonly domid: number; readonly target: number },
    options?: CallOptions,
  ): Promise<void> {
    await this.#ask({ type: MessageType.setTarget, text: `${domain.domid}\0${domain.target}\0` }, options);
  }

  /** Drops every watch and transaction of this connection, also unknown ones. */
  async resetWatches(options?: CallOptions): Promise<void> {
    await this.#ask({ type: MessageType.resetWatches, text: '\0' }, options);
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    this.#connection.awaitEvents(false);
    for (const watch of watches) await watch.close();
  }

  /** A control command of the daemon (`check`, `print`, `help`); gives its answer. */
  async control(command: readonly string[], options?: CallOptions): Promise<string> {
    const payload = await this.#ask({ type: MessageType.control, text: `${command.join('\0')}\0` }, options);
    return decodeStrings(payload).join('\n');
  }

  /** Ends the connection: pending calls and watches fail with `connection-lost`. Idempotent. */
  close(): void {
    this.#connection.close();
  }

  /** As {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  async #ask(ask: Ask, options?: CallOptions): Promise<Buffer> {
    if (!/^[\x00-\x7f]+$/.test(ask.text)) {
      throw new XenstoreError('EINVAL', describeType(ask.type), ask.path, 'only ASCII can be sent here');
    }
    return call(this.#connection, ask, options);
  }
}

function parseNumber(payload: Buffer, operation: string): number {
  const text = decodeStrings(payload)[0] ?? '';
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new XenstoreError('protocol', operation, undefined, 'the answer is not a number');
}
