/** Where the built page is: beside the program in an npm package, in `share` in Debian's. */
import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Page, readPage } from '../daemon/index.js';

/** The page; undefined when the program was not built, or `PVUSB_PAGE` names a folder that has none. */
export async function findPage(env: Readonly<Record<string, string | undefined>>): Promise<Page | undefined> {
  const program = await realpath(process.argv[1] ?? '').catch(() => '');
  const folders = env.PVUSB_PAGE
    ? [env.PVUSB_PAGE]
    : [join(dirname(program), '../web'), join(dirname(process.execPath), '../../share/pvusb/web')];
  for (const folder of folders) {
    const page = await readPage(folder);
    if (page) return page;
  }
  return undefined;
}
