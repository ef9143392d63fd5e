/** The files that say what quiesced guests had: one for each, written whole and on disk before anything is taken. */
import { constants, mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { QuiescedFilesError } from './errors.js';
import { formatQuiesced, isToken, parseQuiesced, type QuiescedGuest } from './guest.js';

/** Where state that survives a reboot is kept, by default. */
export const STATE_ROOT = '/var/lib/pvusb';

/** Their folder below that, and how their names end. */
const FOLDER = 'quiesced';
const ENDING = '.json';

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

/** Made beside the file, and renamed when it is on disk. What a killed process has left there is overwritten. */
async function writeWhole(path: string, text: string): Promise<void> {
  const made = `${path}~`;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  await using file = await open(made, flags, FILE_MODE);
  await file.writeFile(text);
  await file.sync();
  await rename(made, path);
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
