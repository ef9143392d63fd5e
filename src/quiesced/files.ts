/** The files that say what quiesced guests had: one for each, written whole and on disk before anything is taken. */
import { constants, mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { QuiescedFilesError } from './errors.js';
import { formatQuiesced, isToken, parseQuiesced, type QuiescedGuest } from './guest.js';

/** Where state that survives a reboot is kept, by default. */
export const STATE_ROOT = '/var/lib/pvusb';

/** Their folder below that, and how their names end. */
const FOLDER = 'quiesced';
const ENDING = '.json';

/** How the name of a file ends that is being written, and the age from which it is what a killed process has left. */
const BEING_WRITTEN = '~';
const LEFTOVER_MS = 60_000;

/** Nobody but root. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** The guests that are quiesced. */
export interface QuiescedFiles {
  /**
   * All of them, by token.
   *
   * @throws {QuiescedFilesError}
   */
  list(): Promise<readonly QuiescedGuest[]>;
  /**
   * Keeps what a guest had; resolves when it is on disk.
   *
   * @throws {QuiescedFilesError}
   */
  write(guest: QuiescedGuest): Promise<void>;
  /**
   * Forgets a guest. It is not an error if it is not known.
   *
   * @throws {QuiescedFilesError}
   */
  remove(token: string): Promise<void>;
}

/** The files below `root`. Nothing is read until asked for. */
export function openQuiescedFiles(root: string): QuiescedFiles {
  const folder = join(root, FOLDER);
  const pathOf = (token: string): string => join(folder, `${token}${ENDING}`);
  return {
    list: () =>
      trying('read', folder, async () => {
        const names = await unlessAbsent(readdir(folder), []);
        const tokens = names.flatMap((name) => {
          const token = name.slice(0, -ENDING.length);
          return name.endsWith(ENDING) && isToken(token) ? [token] : [];
        });
        const found = await Promise.all(tokens.sort().map((token) => readGuest(pathOf(token), token)));
        return found.filter((guest) => guest !== undefined);
      }),
    write: (guest) =>
      trying('written', pathOf(guest.token), async () => {
        const made = await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
        await writeWhole(pathOf(guest.token), formatQuiesced(guest));
        await syncFolder(folder);
        if (made !== undefined) for (const one of [root, dirname(made)]) await syncFolder(one);
      }),
    remove: (token) =>
      trying('removed', pathOf(token), async () => {
        await unlessAbsent(unlink(pathOf(token)), undefined);
        await removeLeftovers(folder);
        await unlessAbsent(syncFolder(folder), undefined);
      }),
  };
}

async function readGuest(path: string, token: string): Promise<QuiescedGuest | undefined> {
  // Another process may have restored it meanwhile.
  const text = await unlessAbsent(readFile(path, 'utf8'), undefined);
  if (text === undefined) return undefined;
  const guest = parseQuiesced(text, token);
  if (guest) return guest;
  throw new QuiescedFilesError(`${path} is not a valid record of pvusb`);
}

/** Made beside the file, each time under another name since others may do so too, and renamed when it is on disk. */
async function writeWhole(path: string, text: string): Promise<void> {
  const made = `${path}.${crypto.randomUUID()}${BEING_WRITTEN}`;
  await using file = await open(made, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, FILE_MODE);
  try {
    await file.writeFile(text);
    await file.sync();
    await rename(made, path);
  } catch (error) {
    await unlink(made).catch(() => undefined);
    throw error;
  }
}

async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await unlessAbsent(readdir(folder), [])) {
    if (!name.endsWith(BEING_WRITTEN)) continue;
    const path = join(folder, name);
    const found = await unlessAbsent(stat(path), undefined);
    if (found && Date.now() - found.mtimeMs > LEFTOVER_MS) await unlessAbsent(unlink(path), undefined);
  }
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

async function unlessAbsent<T>(promise: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return otherwise;
    throw error;
  }
}

async function trying<T>(
  what: 'read' | 'written' | 'removed',
  path: string,
  body: () => Promise<T>,
): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof QuiescedFilesError) throw error;
    const errno = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new QuiescedFilesError(`${path} cannot be ${what} (${errno})`, { cause: error });
  }
}
