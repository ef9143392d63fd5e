/** Reports when USB devices come and go: a hint that it is time to look, no more. */
import type { FSWatcher } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { watchFolder, watchNearest } from '../async/index.js';
import { parseDeviceName, parseInterfaceId } from './busid.js';

/** Where the kernel makes a node for each device, which can be watched; sysfs itself reports nothing. */
const NODES = '/dev/bus/usb';

/** Something may have been plugged in or pulled out since the last turn. */
export interface Plugs {
  /** Nothing changes without a report, and losses are reported: listeners need not poll. */
  readonly isComplete?: boolean;
  /**
   * Waits for that, and says which: nodes (`003/011`: bus and address), in a published simulation names of devices; the
   * folder itself when no more is known. Done when closed. On a platform that reports nothing it waits for ever.
   */
  next(): Promise<IteratorResult<readonly string[], undefined>>;
  close(): Promise<void>;
}

/**
 * Watches the folders of the devices: the kernel's `nodes` for `/sys`, else the tree below `root` (a published
 * simulation). It waits for a folder that does not exist; one that cannot be watched reports nothing.
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
   * Sets all watches again: a watch holds a folder, not its name, and knows nothing about one that was created again.
   * Inode numbers are reused, too, so they do not help. What happens in between is seen by the look that follows.
   */
  const watchAll = async (): Promise<void> => {
    closeAll();
    add(watchNearest(folders, (name) => stir(isSys ? folders : (name ?? folders))));
    // A folder for each bus; the host's controllers can come and go, too.
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
      // While only devices come and go the watches stay: a report about one device must not lose one about another.
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
