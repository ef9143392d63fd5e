/** What the simulated domains have in common: a view of the store, and work done one piece after another. */
import type { Permission } from '../../xenstore/permissions.js';

/** A store as one domain sees it. Failures reject with an error whose `code` is an errno name (`EACCES`). */
export interface ActorStore {
  /** The text of a node; undefined when there is none. */
  read(path: string): Promise<string | undefined>;
  /** The names below a node; undefined when there is none. */
  directory(path: string): Promise<string[] | undefined>;
  /** Writes a node; parents that are missing are made. */
  write(path: string, value: string): Promise<void>;
  mkdir(path: string): Promise<void>;
  /** Removes a node and all below it. No error when there is none and its parent is there. */
  rm(path: string): Promise<void>;
  setPermissions(path: string, permissions: readonly Permission[]): Promise<void>;
  /** Reports `path` once at once, then each change at or below it, before the reply to any later call. */
  watch(path: string, onEvent: (path: string) => void): Promise<() => Promise<void>>;
  /**
   * Writes a node only if it exists, in one step; resolves to false when it does not. The kernel switches xenbus states that
   * way (`xenbus_client.c: __xenbus_switch_state`). Without it actors read before they write.
   */
  writeExisting?(path: string, value: string): Promise<boolean>;
}

/** An actor of a simulated host. */
export interface Actor {
  /** Pieces of work done so far: unchanged over an {@link idle} means that there was nothing to do. */
  readonly workDone: number;
  /** Resolves when the actor has dealt with all that the store has told it. Rejects with a bug of the actor. */
  idle(): Promise<void>;
  /** Ends the actor's watches; what it wrote stays. Idempotent. */
  close(): Promise<void>;
}

/** Switches a xenbus state, unless the node is gone (`__xenbus_switch_state`). */
export async function writeExisting(store: ActorStore, path: string, value: string): Promise<boolean> {
  if (store.writeExisting) return store.writeExisting(path, value);
  if ((await store.read(path)) === undefined) return false;
  await store.write(path, value);
  return !(await removeGhost(store, path));
}

/** Writes a new key into a directory, unless that is gone or going. */
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

/** Takes back a node that was written into a directory removed meanwhile, and the parents that the write made. */
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

/** Reads a xenbus state; 0 (Unknown) when there is none that makes sense (`xenbus_read_driver_state`). */
export async function readState(store: ActorStore, directory: string): Promise<number> {
  const text = await store.read(`${directory}/state`);
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : 0;
}

/** Work that watch events cause: done in order, one piece after another, on one store. */
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

  /** @param asFound what stands in the store is no news: work begins with what changes after {@link started} */
  constructor(store: ActorStore, asFound = false) {
    this.#store = store;
    this.#asFound = asFound;
  }

  /** Its actor has taken over what there was. */
  started(): void {
    this.#isStarted = true;
  }

  /** Pieces of work done. */
  get done(): number {
    return this.#done;
  }

  /** Queues a piece of work. An errno ends the piece quietly: the world changed meanwhile, and another event will tell. */
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

  /** Watches a path; each event is a piece of work. The watch ends with {@link close} or by the function returned. */
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

  /** Resolves when nothing is queued and the store has no event for us any more. */
  async idle(): Promise<void> {
    for (;;) {
      await this.#turn;
      // A store delivers events before later replies: this read is the barrier behind which there are no more of them.
      await this.#store.read('/local').catch(() => undefined);
      // A client may hand its events over some microtasks later than its replies.
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
