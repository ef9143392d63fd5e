/** Where everything is: the sources in the checkout, all that is made from them in one cache folder. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder for everything that the lab makes: `PVUSB_LAB`, or one in the user's cache. */
export function cacheFolder(): string {
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return process.env.PVUSB_LAB || join(caches, 'pvusb-lab');
}

/** The project's folder. */
export function projectFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    if (folder === dirname(folder)) throw new Error('no package.json above the lab');
    folder = dirname(folder);
  }
  return folder;
}

/** A file of the lab's sources that is not TypeScript: `dom0/rc`. */
export function sourcePath(...parts: readonly string[]): string {
  return join(projectFolder(), 'lab', ...parts);
}

/** The folder of the lab with this name: its disks and logs. */
export function labFolder(name: string): string {
  return join(cacheFolder(), 'labs', name);
}

/**
 * The folder of a lab's sockets. Not in its own folder, since the path of a socket must be shorter than 108 bytes
 * and a cache folder may be anywhere.
 */
export function socketFolder(name: string): string {
  return join(tmpdir(), `pvusb-lab-${userInfo().uid}`, shortKey(labFolder(name)));
}

/** The private key that opens dom0. */
export function keyPath(): string {
  return join(cacheFolder(), 'key', 'id_ed25519');
}

/** A short name for what is made from `parts`. */
export function shortKey(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12);
}
