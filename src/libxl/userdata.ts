/** libxl's files for its domains: their paths, and their use under the domain's lock. */
import { join } from 'node:path';
import { type Clock, Mutex, systemClock } from '../async/index.js';
import { readConfig, removeConfig, writeConfig } from './data-file.js';
import { LibxlError } from './errors.js';
import { type Flock, loadFlock } from './flock.js';
import { acquire } from './lock.js';
import { printable } from './printable.js';
import type { SavedConfig } from './saved-config.js';

/** Where libxl keeps its files for domains. */
const ROOT = '/var/lib/xen';
const WITHIN_MS = 10_000;
/** The first number that Xen does not give to a domain. */
const DOMID_END = 0x7ff0;
const UUID = /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;

/** A domain, by the parts of its file names. */
export interface DomainFiles {
  readonly domid: number;
  /** As in `/vm/<uuid>`: 36 hexadecimal digits and dashes. */
  readonly uuid: string;
}

/** How long to wait for a domain's lock. */
export interface UserdataLockOptions {
  /** Ends the wait. It does not stop what is done under the lock. */
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for the lock, in milliseconds; 10000 unless given. */
  readonly withinMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** What may be done while a domain's lock is held. After that every call is an error. */
export interface LockedUserdata {
  /**
   * The domain's saved configuration; undefined when it has none: libxl did not build the domain.
   *
   * @throws {LibxlError} `malformed`, `too-large`, `not-a-file`, `denied`, `io`
   */
  read(): Promise<SavedConfig | undefined>;
  /**
   * Replaces it, in one step, readable only by root. A failure has changed nothing.
   *
   * @throws {LibxlError} `no-directory`, `not-a-file`, `denied`, `io`
   */
  write(config: SavedConfig): Promise<void>;
  /**
   * Removes it. It is not an error if there is none.
   *
   * @throws {LibxlError} `not-a-file`, `denied`, `io`
   */
  remove(): Promise<void>;
}

/** libxl's files for its domains. */
export interface Userdata {
  /**
   * Runs `body` while this process, and no other that keeps to libxl's protocol, has the domain's files; returns what
   * it returns. A second call for the domain within `body` would wait for its own end. Without libxl's directory there
   * is no lock either: `read` gives undefined, `write` is an error.
   *
   * @throws {LibxlError} `invalid-uuid`, `timeout` (with {@link LibxlError.holder} if known), `not-a-file`,
   * `denied`, `unsupported`, `io`
   * @throws {RangeError} `domid` is not a domain number
   * @throws the signal's reason, when it aborts before the lock is held; and what `body` throws
   */
  withLock<T>(
    domain: DomainFiles,
    options: UserdataLockOptions,
    body: (userdata: LockedUserdata) => Promise<T>,
  ): Promise<T>;
}

/** libxl's files for its domains, in `root` (`/var/lib/xen`). Nothing is accessed before a lock is asked for. */
export function openUserdata({ root = ROOT }: { readonly root?: string } = {}): Userdata {
  let flock: Promise<Flock> | undefined;
  return {
    async withLock(domain, { signal, withinMs = WITHIN_MS, clock = systemClock }, body) {
      const path = pathsOf(root, domain);
      const load = (): Promise<Flock> => {
        flock ??= loadFlock();
        return flock;
      };
      const lock = await acquire(path('l', 'domain-userdata-lock'), load, { signal, withinMs, clock });
      const session = openSession(path('d', 'libxl-json'), path('n', 'libxl-json'));
      let result: Awaited<ReturnType<typeof body>>;
      try {
        result = await body(session.use);
      } catch (error) {
        await session.end();
        // What matters is that the body failed; the lock is released with its file, whatever becomes of the path.
        await lock?.release().catch(() => undefined);
        throw error;
      }
      await session.end();
      await lock?.release();
      return result;
    },
  };
}

/** The paths of a domain's files: `d` data, `n` data being written, `l` lock. */
function pathsOf(root: string, { domid, uuid }: DomainFiles): (kind: 'd' | 'n' | 'l', of: string) => string {
  if (!Number.isInteger(domid) || domid < 0 || domid >= DOMID_END) {
    throw new RangeError(`not a domain number: ${domid}`);
  }
  const untrustedUuid = uuid;
  if (!UUID.test(untrustedUuid)) {
    throw new LibxlError('invalid-uuid', `not a domain uuid: "${printable(String(untrustedUuid))}"`);
  }
  return (kind, of) => join(root, `userdata-${kind}.${domid}.${uuid}.${of}`);
}

/** One use of the files: its calls run one after the other, and none after its end. */
function openSession(path: string, newPath: string): { use: LockedUserdata; end: () => Promise<void> } {
  const turns = new Mutex();
  let isOver = false;
  const run = async <T>(body: () => Promise<T>): Promise<T> => {
    if (isOver) throw new Error('the lock on these files has been released');
    return turns.run(body);
  };
  return {
    use: {
      read: () => run(() => readConfig(path)),
      write: (config) => run(() => writeConfig(path, newPath, config)),
      remove: () => run(() => removeConfig(path)),
    },
    // A call that nobody awaited must not go on without the lock.
    end: async () => {
      isOver = true;
      await turns.run(async () => undefined);
    },
  };
}
