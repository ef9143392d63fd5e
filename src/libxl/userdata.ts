/** libxl's files of the domains: which they are, and their use under the domain's lock. */
import { join } from 'node:path';
import { type Clock, Mutex, systemClock } from '../async/index.js';
import { readConfig, removeConfig, writeConfig } from './data-file.js';
import { LibxlError } from './errors.js';
import { type Flock, loadFlock } from './flock.js';
import { acquire } from './lock.js';
import { printable } from './printable.js';
import type { SavedConfig } from './saved-config.js';

/** Where libxl keeps its files of the domains. */
const ROOT = '/var/lib/xen';
const WITHIN_MS = 10_000;
/** The first number that Xen gives to no domain. */
const DOMID_END = 0x7ff0;
const UUID = /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;

/** A domain, by what its files are named after. */
export interface DomainFiles {
  readonly domid: number;
  /** As `/vm/<uuid>` names it: 36 hexadecimal digits and dashes. */
  readonly uuid: string;
}

/** How long to wait for a domain's lock. */
export interface UserdataLockOptions {
  /** Ends the wait. What is done under the lock is not stopped by it. */
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for the lock, in milliseconds; 10000 unless given. */
  readonly withinMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** What may be done while a domain's lock is held. Afterwards every call is an Error. */
export interface LockedUserdata {
  /**
   * The domain's saved configuration; undefined when it has none: a domain that libxl has not built.
   *
   * @throws {LibxlError} `malformed`, `too-large`, `not-a-file`, `denied`, `io`
   */
  read(): Promise<SavedConfig | undefined>;
  /**
   * Puts another in its place, in one step, readable for root only. What fails has changed nothing.
   *
   * @throws {LibxlError} `no-directory`, `not-a-file`, `denied`, `io`
   */
  write(config: SavedConfig): Promise<void>;
  /**
   * Removes it. That there is none is no error.
   *
   * @throws {LibxlError} `not-a-file`, `denied`, `io`
   */
  remove(): Promise<void>;
}

/** libxl's files of the domains. */
export interface Userdata {
  /**
   * Runs `body` while this process, and no other that keeps to libxl's protocol, has the domain's files; gives what
   * it gives. A second call for the domain within `body` waits for its own end. Without libxl's directory there is no lock either: `read` gives undefined, `write` is an error.
   *
   * @throws {LibxlError} `invalid-uuid`, `timeout` (with {@link LibxlError.holder} if known), `not-a-file`,
   * `denied`, `unsupported`, `io`
   * @throws {RangeError} `domid` is none
   * @throws the signal's reason, when it aborts before the lock is there; and what `body` throws
   */
  withLock<T>(
    domain: DomainFiles,
    options: UserdataLockOptions,
    body: (userdata: LockedUserdata) => Promise<T>,
  ): Promise<T>;
}

/** libxl's files of the domains, in `root` (`/var/lib/xen`). Nothing is looked at before a lock is asked for. */
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
        // That the body has failed is what matters; the lock goes with its file, whatever becomes of the path.
        await lock?.release().catch(() => undefined);
        throw error;
      }
      await session.end();
      await lock?.release();
      return result;
    },
  };
}

/** The paths of a domain's files: `d` data, `n` data that is being written, `l` lock. */
function pathsOf(root: string, { domid, uuid }: DomainFiles): (kind: 'd' | 'n' | 'l', of: string) => string {
  if (!Number.isInteger(domid) || domid < 0 || domid >= DOMID_END) {
    throw new RangeError(`no number of a domain: ${domid}`);
  }
  const untrustedUuid = uuid;
  if (!UUID.test(untrustedUuid)) {
    throw new LibxlError('invalid-uuid', `no uuid of a domain: "${printable(String(untrustedUuid))}"`);
  }
  return (kind, of) => join(root, `userdata-${kind}.${domid}.${uuid}.${of}`);
}

/** One use of the files: its calls one after the other, and none after its end. */
function openSession(path: string, newPath: string): { use: LockedUserdata; end: () => Promise<void> } {
  const turns = new Mutex();
  let isOver = false;
  const run = async <T>(body: () => Promise<T>): Promise<T> => {
    if (isOver) throw new Error('the lock of these files has been given back');
    return turns.run(body);
  };
  return {
    use: {
      read: () => run(() => readConfig(path)),
      write: (config) => run(() => writeConfig(path, newPath, config)),
      remove: () => run(() => removeConfig(path)),
    },
    // A call that nobody has waited for must not go on without the lock.
    end: async () => {
      isOver = true;
      await turns.run(async () => undefined);
    },
  };
}
