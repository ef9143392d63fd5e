/** Reports that files of rules may have changed. */
import type { FSWatcher } from 'node:fs';
import { basename, join } from 'node:path';
import { watchFolder, watchNearest } from '../async/index.js';
import { DROP_IN, ENDING, MAIN } from './names.js';

/**
 * Calls `hear` when a file of rules below `root` may have changed, until the function returned is called. The folders
 * need not exist yet.
 */
export function listen(root: string, hear: () => void): () => void {
  let watchers: FSWatcher[] = [];
  const close = (): void => {
    for (const watcher of watchers) watcher.close();
    watchers = [];
  };
  const watchAll = (): void => {
    close();
    const tell = (name: string | null): void => {
      // What a program is still writing has another name.
      if (
        name !== null &&
        ![MAIN, DROP_IN].includes(name) &&
        !name.endsWith(ENDING) &&
        name !== basename(root)
      )
        return;
      // Of a folder that was moved away or made again the watch knows nothing.
      if (name === null || name === DROP_IN || name === basename(root)) watchAll();
      hear();
    };
    watchers = [watchNearest(root, tell), watchFolder(join(root, DROP_IN), tell)].filter(
      (watcher) => watcher !== undefined,
    );
  };
  watchAll();
  return close;
}
