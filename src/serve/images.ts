/** The images of virtual sticks, open. An image that is written to is open once. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Storage } from '../backend/virtual/storage.js';
import { openImages } from '../hostuse/index.js';

/** Images that are open, by their device and inode: whatever names a file has, it is one. */
export class StickImages {
  readonly #images: ReturnType<typeof openImages>;
  readonly #open = new Map<string, { readonly isReadOnly: boolean; count: number }>();

  constructor(sysfsRoot = '/sys') {
    this.#images = openImages(sysfsRoot);
  }

  /**
   * Opens an image; closing the storage closes it.
   *
   * @throws {Error} why it cannot be: words for the end of a sentence
   */
  async open(path: string, isReadOnly: boolean): Promise<Storage> {
    const problem = await this.#images.problemOf(path, isReadOnly);
    if (problem !== undefined) throw new Error(problem);
    const mode = isReadOnly ? constants.O_RDONLY : constants.O_RDWR;
    const probe = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const image = await probe.stat().finally(() => probe.close());
    const release = this.#claim(`${image.dev}:${image.ino}`, isReadOnly);
    try {
      const size = await this.#images.sizeOf(image);
      // As long as it is open, nothing else of the host gets a disk: it cannot be mounted.
      const file = await open(path, image.isBlockDevice() ? mode | constants.O_EXCL : mode);
      return storageOf(file, { size, isReadOnly, release });
    } catch (error) {
      release();
      throw error;
    }
  }

  #claim(key: string, isReadOnly: boolean): () => void {
    const known = this.#open.get(key);
    if (known && !(known.isReadOnly && isReadOnly))
      throw new Error('it is another virtual stick already, and one of the two can be written to');
    const entry = known ?? { isReadOnly, count: 0 };
    entry.count++;
    this.#open.set(key, entry);
    return () => {
      entry.count--;
      if (entry.count === 0) this.#open.delete(key);
    };
  }
}

function storageOf(
  file: FileHandle,
  {
    size,
    isReadOnly,
    release,
  }: { readonly size: number; readonly isReadOnly: boolean; readonly release: () => void },
): Storage {
  return {
    size,
    isReadOnly,
    async read(at, length) {
      const bytes = new Uint8Array(length);
      await file.read(bytes, 0, length, at);
      return bytes;
    },
    async write(at, bytes) {
      // A copy: what is in the block changes before the file has it.
      const kept = bytes.slice();
      // Less than everything is written where a file system gets full: the next try says so.
      for (let done = 0; done < kept.length; )
        done += (await file.write(kept, done, kept.length - done, at + done)).bytesWritten;
    },
    flush: () => file.datasync(),
    async close() {
      try {
        if (!isReadOnly) await file.datasync();
      } finally {
        // Waits for whatever is still being read or written.
        await file.close().finally(release);
      }
    },
  };
}
