/** sysfs through the real file system, below a root: `/sys`, a recorded tree or a published simulation. */
import { constants, readFile } from 'node:fs';
import { open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Limit } from '../async/index.js';
import type { SysfsFiles } from './files.js';

/** Files open at once: a host with a hundred devices has more attributes than a process may have open (1024). */
const OPEN_MAX = 64;

/** Takes half the time of `fs/promises`: a scan reads hundreds of small files. */
const readText = promisify(readFile);
const readBytes = promisify<string, Uint8Array>(readFile);

/** The file operations of sysfs below `root`; folders that are kept `elsewhere` are looked up there, by name. */
export function nodeFiles(root: string, elsewhere: Readonly<Record<string, string>> = {}): SysfsFiles {
  const limit = new Limit(OPEN_MAX);
  const at = (path: string): string => {
    const moved = Object.keys(elsewhere).find((folder) => path === folder || path.startsWith(`${folder}/`));
    return moved === undefined ? join(root, path) : join(elsewhere[moved]!, path.slice(moved.length));
  };
  return {
    readText: (path) => limit.run(() => readText(at(path), 'utf8')),
    readBytes: (path) => limit.run(() => readBytes(at(path))),
    list: (path) => limit.run(() => readdir(at(path))),
    readLink: (path) => readlink(at(path)),
    async writeText(path, text) {
      // Never creates a file: what does not exist cannot be written. O_NONBLOCK changes nothing in sysfs, and prevents
      // a published simulation that has died from blocking us.
      const file = await open(at(path), constants.O_WRONLY | constants.O_NONBLOCK);
      try {
        await file.write(text);
      } finally {
        await file.close();
      }
    },
  };
}
