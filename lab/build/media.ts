/** The contents of the sticks, the same in every build. */
import { createHash } from 'node:crypto';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../base/process.js';
import { progress } from '../base/progress.js';

/** The sticks, by the names of their devices, with their serial numbers. */
export const STICKS = { stick: 'LAB0001', stick2: 'LAB0002' } as const;

/** The name of a stick. */
export type StickName = keyof typeof STICKS;

const BYTES = 16 * 1024 * 1024;

/** The image of a stick, in the folder that {@link makeMedia} filled. */
export function stickImage(folder: string, name: StickName): string {
  return join(folder, `${name}.img`);
}

/** The file `data.bin` of a stick: 1 MiB that is different on each. */
function stickData(name: StickName): Buffer {
  const blocks = Array.from({ length: 32_768 }, (_, at) =>
    createHash('sha256').update(`${STICKS[name]} ${at}`).digest(),
  );
  return Buffer.concat(blocks);
}

/** The md5 of the file `data.bin` of a stick. */
export function stickMd5(name: StickName): string {
  return createHash('md5').update(stickData(name)).digest('hex');
}

/** Makes a FAT volume for each stick, with `name.txt` and `data.bin`. */
export async function makeMedia(folder: string): Promise<void> {
  progress('making the sticks');
  for (const name of Object.keys(STICKS) as StickName[]) {
    const image = stickImage(folder, name);
    await writeFile(image, '');
    await truncate(image, BYTES);
    await run('mkfs.vfat', ['--invariant', '-n', STICKS[name], image]);
    const files = [join(folder, 'name.txt'), join(folder, 'data.bin')] as const;
    await writeFile(files[0], `${STICKS[name]}\n`);
    await writeFile(files[1], stickData(name));
    await run('mcopy', ['-o', '-i', image, ...files, '::']);
    for (const file of files) await rm(file);
  }
}
