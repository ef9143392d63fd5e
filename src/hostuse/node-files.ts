/** The files of the host through the real file system. */
import { constants, readdirSync, readFile, readlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Limit } from '../async/index.js';
import { errnoOf } from '../sysfs/errors.js';
import type { HostFiles } from './files.js';

/** Where the kernel's files are: of this host, or of a simulated one. */
export interface HostRoots {
  readonly sysfsRoot: string;
  readonly procRoot: string;
  readonly devRoot: string;
  /** What udev has found out; `/run` unless given. */
  readonly runRoot?: string | undefined;
}

/** Files open at once. */
const OPEN_MAX = 64;

/** Takes half the time of `fs/promises`. */
const readText = promisify(readFile);

/** The file operations below `roots`. */
export function nodeHostFiles({ sysfsRoot, procRoot, devRoot, runRoot = '/run' }: HostRoots): HostFiles {
  const roots: Readonly<Record<string, string>> = {
    sys: sysfsRoot,
    proc: procRoot,
    dev: devRoot,
    run: runRoot,
  };
  const limit = new Limit(OPEN_MAX);
  const at = (path: string): string => {
    const [root = '', ...rest] = path.split('/');
    return join(roots[root] ?? '/nonexistent', ...rest);
  };
  return {
    readText: (path) => limit.run(() => readText(at(path), 'utf8')),
    // The kernel gives these at once, so this thread need not be left for them: a scan of /proc reads thousands of links.
    list: async (path) => readdirSync(at(path)),
    readLink: async (path) => readlinkSync(at(path)),
    async isClaimed(path) {
      // O_NONBLOCK: whatever it is, the open does not wait. Without O_CREAT, O_EXCL has a meaning for disks only.
      const flags = constants.O_RDONLY | constants.O_EXCL | constants.O_NONBLOCK;
      try {
        await (await open(at(path), flags)).close();
        return false;
      } catch (error) {
        return errnoOf(error) === 'EBUSY';
      }
    },
    // Of another host than this one only its files are known.
    addresses: () => (procRoot === '/proc' ? ownAddresses() : []),
  };
}

function ownAddresses(): { name: string; address: string }[] {
  return Object.entries(networkInterfaces()).flatMap(([name, all = []]) =>
    all.map(({ address }) => ({ name, address })),
  );
}
