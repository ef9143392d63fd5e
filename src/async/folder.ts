/** Folders that are watched, by inotify. */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/**
 * Watches a folder; while it does not exist, the nearest one above it, but only for the missing name: other things
 * happen there. The watches are made from the top down, so that no folder appears unseen between two of them.
 */
export function watchNearest(folder: string, stir: (name: string | null) => void): FSWatcher | undefined {
  let nearest = watchFolder(folder, stir);
  if (nearest) return nearest;
  const chain = ancestry(folder);
  for (const [i, at] of chain.entries()) {
    // Its own name is reported when the folder itself goes away.
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

/** Watches a folder; undefined if it cannot be watched. `tell` gets the name of what has changed in it, if that is known. */
export function watchFolder(folder: string, tell: (name: string | null) => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, (_, name) => tell(name));
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    // It does not exist, or there are too many watches on this host: then looking at intervals has to do.
    return undefined;
  }
}
