/** What the simulated domains have in common: a view of the store, and work done piece by piece. */
import type { Permission } from '../../xenstore/permissions.js';

/** A store as one domain sees it. Failures reject with an error whose `code` is an errno name (`EACCES`). */
export interface ActorStore {
  /** The text of a node; undefined when there is none. */
  read(path: string): Promise<string | undefined>;
  /** The names below a node; undefined when there is none. */
  directory(path: string): Promise<string[] | undefined>;
  /** Writes a node; missing parents are created. */
  write(path: string, value: string): Promise<void>;
  mkdir(path: string): Promise<void>;
  /** Removes a node and all below it. It is not an error if it does not exist but its parent does. */
  rm(path: string): Promise<void>;
  setPermissions(path: string, permissions: readonly Permission[]): Promise<void>;
  /** Reports `path` once immediately, then each change at or below it, before the reply to any later call. */
  watch(path: string, onEvent: (path: string) => void): Promise<() => Promise<void>>;
  /**
   * Writes a node only if it exists, in one step; resolves to false when it does not. The kernel switches xenbus states that
   * way (`xenbus_client.c: __xenbus_switch_state`). Without it actors read before they write.
   */
  writeExisting?(path: string, value: string): Promise<boolean>;
}

/** An actor of a simulated host. */
export interface Actor {
  /** Pieces of work done so far: if it is unchanged by an {@link idle}, there was nothing to do. */
  readonly workDone: number;
  /** Resolves when the actor has dealt with everything that the store has reported to it. Rejects on a bug in the actor. */
  idle(): Promise<void>;
  /** Removes the actor's watches; what it wrote stays. Idempotent. */
  close(): Promise<void>;
}

/** Switches a xenbus state, unless the node is gone (`__xenbus_switch_state`). */
export async function writeExisting(store: ActorStore, path: string, value: string): Promise<boolean> {
  if (store.writeExisting) return store.writeExisting(path, value);
  if ((await store.read(path)) === undefined) return false;
  await store.write(path, value);
  return !(await removeGhost(store, path));
}

/** Writes a new key into a directory, unless that is gone or being removed. */
export async function writeInto(
  store: ActorStore,
  directory: string,
  key: string,
  value: string,
): Promise<boolean> {
  const path = `${directory}/${key}`;
  if ((await store.read(directory)) === undefined) return false;
  await store.write(path, value);
  return !(await removeGhost(store, path));
}

/** Removes a node that was written into a directory removed meanwhile, and the parents that the write created. */
async function removeGhost(store: ActorStore, path: string): Promise<boolean> {
  let directory = path.slice(0, path.lastIndexOf('/'));
  if ((await store.directory(directory))?.length !== 1) return false;
  while (directory.split('/').length > BACKEND_PARTS) {
    await store.rm(directory);
    directory = directory.slice(0, directory.lastIndexOf('/'));
    if ((await store.directory(directory))?.length !== 0) break;
  }
  return true;
}

/** The parts of `/local/domain/0/backend`, which stays. */
const BACKEND_PARTS = 5;

/** Reads a xenbus state; 0 (Unknown) when there is no valid one (`xenbus_read_driver_state`). */
export async function readState(store: ActorStore, directory: string): Promise<number> {
  const text = await store.read(`${directory}/state`);
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : 0;
}

/** Work caused by watch events: done in order, piece by piece, on one store. */
export class Work {
  readonly #store: ActorStore;
  readonly #asFound: boolean;
  #isStarted = false;
  #turn: Promise<void> = Promise.resolve();
  #queued = 0;
  #done = 0;
  #closed = false;
  #bug: unknown;
  readonly #watches = new Set<() => Promise<void>>();

  /** @param asFound what is already in the store is not an event: work begins with what changes after {@link started} */
  constructor(store: ActorStore, asFound = false) {
    this.#store = store;
    this.#asFound = asFound;
  }

  /** Its actor has taken over what existed. */
  started(): void {
    this.#isStarted = true;
  }

  /** Pieces of work done. */
  get done(): number {
    return this.#done;
  }

  /** Queues a piece of work. An errno ends the piece quietly: the world changed meanwhile, and there will be another event. */
  add(piece: () => Promise<void>): void {
    if (this.#closed) return;
    this.#queued++;
    this.#turn = this.#turn.then(async () => {
      try {
        if (!this.#closed) await piece();
      } catch (error) {
        if (typeof (error as { code?: unknown }).code !== 'string') this.#bug ??= error;
      }
      this.#queued--;
      this.#done++;
    });
  }

  /** Watches a path; each event is a piece of work. The watch ends with {@link close} or with the returned function. */
  async watch(path: string, piece: (path: string) => Promise<void>): Promise<() => Promise<void>> {
    // A watch fires once when it is set.
    let isNews = !this.#asFound || this.#isStarted;
    const end = await this.#store.watch(path, (changed) => {
      if (isNews) this.add(() => piece(changed));
      isNews = true;
    });
    const once = async () => {
      if (!this.#watches.delete(once)) return;
      await end().catch(() => undefined);
    };
    this.#watches.add(once);
    return once;
  }

  /** Resolves when nothing is queued and the store has no more events for us. */
  async idle(): Promise<void> {
    for (;;) {
      await this.#turn;
      // A store delivers events before later replies: this read is the barrier after which there are no more of them.
      await this.#store.read('/local').catch(() => undefined);
      // A client may deliver its events some microtasks later than its replies.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#queued > 0) continue;
      if (this.#bug !== undefined) throw this.#bug;
      return;
    }
  }

  /** Ends all watches and drops what is queued. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn;
    await Promise.all([...this.#watches].map((end) => end()));
  }
}
