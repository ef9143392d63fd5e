/** Files and block devices that are to become virtual sticks: whether that can be, and does not harm the host. */
import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { open, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../sysfs/errors.js';

/** Bytes of a block. */
const BLOCK_BYTES = 512;

/** Images of this host. */
interface Images {
  /** Why an image cannot become a stick, words for the end of a sentence; undefined if it can. */
  problemOf(path: string, isReadOnly: boolean): Promise<string | undefined>;
  /** Bytes of an image: whole blocks. */
  sizeOf(image: Stats): Promise<number>;
}

/** The images of the host whose sysfs is there. */
export function openImages(sysfsRoot: string): Images {
  return {
    async problemOf(path, isReadOnly) {
      try {
        return await problemOf(sysfsRoot, path, isReadOnly);
      } catch (error) {
        return wordsOf(error, isReadOnly);
      }
    },
    sizeOf: (image) => sizeOf(sysfsRoot, image),
  };
}

async function problemOf(sysfsRoot: string, path: string, isReadOnly: boolean): Promise<string | undefined> {
  const real = await realpath(path);
  const image = await stat(real);
  if (!image.isFile() && !image.isBlockDevice()) return 'it is neither a file nor a block device';
  if ((await sizeOf(sysfsRoot, image)) === 0) return `it has less than ${BLOCK_BYTES} bytes`;
  // The kernel refuses O_EXCL for a disk that is mounted, swapped to, or part of something; for files it means nothing.
  const mode = isReadOnly ? constants.O_RDONLY : constants.O_RDWR;
  await (await open(real, mode | constants.O_EXCL | constants.O_NONBLOCK)).close();
  const loops = image.isFile() ? await loopsOf(sysfsRoot, real) : [];
  const loop = loops.find((one) => !(isReadOnly && one.isReadOnly));
  return loop && `the host is using it as /dev/${loop.name}`;
}

async function sizeOf(sysfsRoot: string, image: Stats): Promise<number> {
  if (!image.isBlockDevice()) return image.size - (image.size % BLOCK_BYTES);
  // dev_t of Linux in user space: 12 bits of the major number between 8 and 12 of the minor.
  const major = Math.floor(image.rdev / 0x100) & 0xfff;
  const minor = (image.rdev & 0xff) | (Math.floor(image.rdev / 0x1000) & 0xfff00);
  const blocks = await readFile(join(sysfsRoot, `dev/block/${major}:${minor}/size`), 'utf8');
  return Number(blocks) * BLOCK_BYTES;
}

/** The loop devices made from a file. */
async function loopsOf(sysfsRoot: string, real: string) {
  const block = join(sysfsRoot, 'block');
  const read = (path: string): Promise<string | undefined> =>
    readFile(join(block, path), 'utf8').catch(() => undefined);
  const names = await readdir(block).catch((): string[] => []);
  const loops = await Promise.all(
    names
      .filter((name) => /^loop\d+$/.test(name))
      .map(async (name) => ({
        name,
        file: (await read(`${name}/loop/backing_file`))?.replace(/\n$/, ''),
        isReadOnly: (await read(`${name}/ro`))?.trim() === '1',
      })),
  );
  return loops.filter(({ file }) => file === real);
}

function wordsOf(error: unknown, isReadOnly: boolean): string {
  switch (errnoOf(error)) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EBUSY':
      return 'it is in use by the host, or by another virtual stick';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return isReadOnly ? 'it cannot be read' : 'it cannot be written to';
    default: {
      // Without the path that Node adds: the guest reads why its port holds nothing.
      const message = error instanceof Error ? error.message : String(error);
      return /^E[A-Z0-9]+: [^,]+/.exec(message)?.[0] ?? message;
    }
  }
}
