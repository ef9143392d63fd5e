/** Folders that exist completely or not at all, whatever is killed, and however many processes make the same one. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** What renaming fails with when another process has made the same folder meanwhile. */
const MADE_BY_ANOTHER = new Set(['EEXIST', 'ENOTEMPTY']);

/**
 * Provides a folder, made by `fill` if it does not exist. Older ones of the same kind, whose names differ only after
 * the last `-`, are removed.
 */
export async function provideFolder(
  folder: string,
  fill: (temporary: string) => Promise<void>,
): Promise<string> {
  if (existsSync(folder)) return folder;
  const parent = dirname(folder);
  const [kind] = basename(folder).match(/^.*-/)!;
  await mkdir(parent, { recursive: true });
  const temporary = await mkdtemp(join(parent, `.${kind}`));
  try {
    await fill(temporary);
    await rename(temporary, folder).catch((error: NodeJS.ErrnoException) => {
      if (!MADE_BY_ANOTHER.has(error.code ?? '')) throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  for (const other of await readdir(parent)) {
    const path = join(parent, other);
    if (other.startsWith(kind) && path !== folder) await rm(path, { recursive: true, force: true });
  }
  return folder;
}
