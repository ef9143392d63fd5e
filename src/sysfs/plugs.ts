/** Tells when USB devices come and go: a hint that it is time to look, no more. */
import { type FSWatcher, watch } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the kernel makes a node for each device, which can be watched; in sysfs itself nothing is told. */
const NODES = '/dev/bus/usb';

/** Something may have been plugged in or pulled out since the last turn. */
export interface Plugs {
  /** Waits for it; done when closed. A platform that tells nothing is waited for in vain. */
  next(): Promise<IteratorResult<readonly string[], undefined>>;
  close(): Promise<void>;
}

/**
 * Watches the folders of the devices: the kernel's nodes for `/sys`, else the tree below `root` (a published simulation).
 * Folders that are not there, or cannot be watched, tell nothing.
 */
export async function openPlugs(root: string): Promise<Plugs> {
  let isDirty = false;
  let isClosed = false;
  let wake: () => void = () => undefined;
  const watchers = new Map<string, FSWatcher>();
  const stir = (): void => {
    isDirty = true;
    wake();
  };
  const add = (folder: string): void => {
    if (watchers.has(folder) || isClosed) return;
    try {
      const watcher = watch(folder, stir);
      watcher.on('error', () => {
        watcher.close();
        watchers.delete(folder);
      });
      watchers.set(folder, watcher);
    } catch {
      // Not there, or too many watches on this host: then looks at intervals have to do.
    }
  };
  const folders = root === '/sys' ? NODES : join(root, 'bus/usb/devices');
  const addAll = async (): Promise<void> => {
    add(folders);
    // A folder for each bus; controllers of the host can come and go, too.
    const buses = root === '/sys' ? await readdir(folders).catch(() => []) : [];
    for (const bus of buses) add(join(folders, bus));
  };
  await addAll();
  return {
    async next() {
      while (!isDirty && !isClosed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (isClosed) return { done: true, value: undefined };
      isDirty = false;
      await addAll();
      return { done: false, value: [folders] };
    },
    async close() {
      isClosed = true;
      for (const watcher of watchers.values()) watcher.close();
      wake();
    },
  };
}
