/** sysfs through the real file system, below a root: `/sys`, a recorded tree or a published simulation. */
import { constants, readdirSync, readFile, readFileSync, readlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Limit } from '../async/index.js';
import type { SysfsFiles } from './files.js';

/** Files open at once: a host with a hundred devices has more attributes than a process may have open (1024). */
const OPEN_MAX = 64;

/**
 * Attributes that the kernel gives at once (`drivers/usb/core/sysfs.c`). They are read without leaving this thread, as
 * are links and folders, which takes a tenth of the time: a scan reads hundreds of them. The others wait for the
 * device's lock, which its driver may hold for seconds.
 */
const AT_ONCE =
  /\/(busnum|devnum|idVendor|idProduct|bDeviceClass|speed|authorized|bInterface(Class|SubClass|Protocol))$/;

/** Takes half the time of `fs/promises`. */
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
    readText: async (path) =>
      AT_ONCE.test(path) ? readFileSync(at(path), 'utf8') : limit.run(() => readText(at(path), 'utf8')),
    readBytes: (path) => limit.run(() => readBytes(at(path))),
    list: async (path) => readdirSync(at(path)),
    readLink: async (path) => readlinkSync(at(path)),
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
