/** The files that show what a simulated host does with its devices, as the reader of the uses sees them. */
import type { HostFiles } from '../../hostuse/files.js';
import { kernelError } from './errno.js';
import type { Entry } from './use-entries.js';

/** Files in memory; `read` gives those of this moment. No disk is claimed: what claims it is in the files. */
export function memoryHostFiles(read: () => ReadonlyMap<string, Entry>): HostFiles {
  const find = (path: string, kind: Entry['kind'], call: string): Entry => {
    const entry = read().get(path);
    if (!entry) throw kernelError('ENOENT', call, `/${path}`);
    if (entry.kind !== kind) throw kernelError('EINVAL', call, `/${path}`);
    return entry;
  };
  return {
    async readText(path) {
      const entry = find(path, 'text', 'open');
      return entry.kind === 'text' ? entry.text : '';
    },
    async list(path) {
      const entries = read();
      const below = [...entries.keys()].filter((name) => name.startsWith(`${path}/`));
      if (below.length === 0 && !entries.has(path)) throw kernelError('ENOENT', 'scandir', `/${path}`);
      return [...new Set(below.map((name) => name.slice(path.length + 1).split('/', 1)[0]!))];
    },
    async readLink(path) {
      const entry = find(path, 'link', 'readlink');
      return entry.kind === 'link' ? entry.target : '';
    },
    isClaimed: async () => false,
    addresses: () => [],
  };
}
