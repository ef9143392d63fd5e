/** Tells when USB devices come and go: a hint that it is time to look, no more. */
import { type FSWatcher, watch } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { parseDeviceName, parseInterfaceId } from './busid.js';

/** Where the kernel makes a node for each device, which can be watched; in sysfs itself nothing is told. */
const NODES = '/dev/bus/usb';

/** Something may have been plugged in or pulled out since the last turn. */
export interface Plugs {
  /**
   * Waits for it, and tells which: nodes (`003/011`: bus and address), in a published simulation names of devices; the
   * folder itself when more is not known. Done when closed. A platform that tells nothing is waited for in vain.
   */
  next(): Promise<IteratorResult<readonly string[], undefined>>;
  close(): Promise<void>;
}

/**
 * Watches the folders of the devices: the kernel's `nodes` for `/sys`, else the tree below `root` (a published simulation).
 * A folder that is not there is waited for; one that cannot be watched tells nothing.
 */
export async function openPlugs(root: string, nodes = NODES): Promise<Plugs> {
  const isSys = root === '/sys';
  const folders = isSys ? nodes : join(root, 'bus/usb/devices');
  const dirty = new Set<string>();
  let isClosed = false;
  let wake: () => void = () => undefined;
  const watchers: FSWatcher[] = [];
  const stir = (what = folders): void => {
    dirty.add(what);
    wake();
  };
  const closeAll = (): void => {
    for (const watcher of watchers.splice(0)) watcher.close();
  };
  const add = (watcher: FSWatcher | undefined): void => {
    if (isClosed) watcher?.close();
    else if (watcher) watchers.push(watcher);
  };
  /**
   * All anew: a watch holds a folder, not its name, and knows nothing of one that was made again. Numbers of inodes are
   * used again, too, so that they do not tell. What happens in between is seen by the look that follows.
   */
  const watchAll = async (): Promise<void> => {
    closeAll();
    add(watchNearest(folders, (name) => stir(isSys ? folders : (name ?? folders))));
    // A folder for each bus; controllers of the host can come and go, too.
    const buses = isSys ? await readdir(folders).catch(() => []) : [];
    for (const bus of buses)
      add(watchFolder(join(folders, bus), (name) => stir(name === null ? folders : `${bus}/${name}`)));
  };
  await watchAll();
  return {
    async next() {
      while (dirty.size === 0 && !isClosed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (isClosed) return { done: true, value: undefined };
      const value = [...dirty];
      dirty.clear();
      // While only devices come and go the watches stay: what is told of one device must not cost what is told of another.
      if (!value.every(isOfDevice)) await watchAll();
      return { done: false, value };
    },
    async close() {
      isClosed = true;
      closeAll();
      wake();
    },
  };
}

/** The name of a device's node, or of a device or an interface in sysfs. */
function isOfDevice(name: string): boolean {
  return (
    /^\d{3}\/\d{3}$/.test(name) || parseDeviceName(name) !== undefined || parseInterfaceId(name) !== undefined
  );
}

/**
 * Watches a folder; while it is not there the nearest one above it, for the name that is missing only: in /dev more
 * happens. The watches are made from the top down, so that no folder comes unseen between two of them.
 */
function watchNearest(folder: string, stir: (name: string | null) => void): FSWatcher | undefined {
  let nearest = watchFolder(folder, stir);
  if (nearest) return nearest;
  const chain = ancestry(folder);
  for (const [i, at] of chain.entries()) {
    // Its own name is told when the folder itself goes.
    const names = [basename(at), basename(chain[i + 1] ?? at)];
    const watcher = watchFolder(at, (name) => {
      if (at === folder) stir(name);
      else if (name === null || names.includes(name)) stir(null);
    });
    if (!watcher) continue;
    nearest?.close();
    nearest = watcher;
  }
  return nearest;
}

/** A folder and all above it, the root first. */
function ancestry(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [...ancestry(above), folder];
}

function watchFolder(folder: string, tell: (name: string | null) => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, (_, name) => tell(name));
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    // Not there, or too many watches on this host: then looks at intervals have to do.
    return undefined;
  }
}
