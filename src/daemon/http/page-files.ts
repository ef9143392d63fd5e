/** Reads the files of the web page, once, at the start: what is served is what was there then. */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Page, PageFile } from './page.js';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
};

/** The page in a folder; undefined when there is none: the daemon serves its API all the same. */
export async function readPage(folder: string): Promise<Page | undefined> {
  const names = await readdir(folder).catch(() => []);
  const files = names.filter((name) => extname(name) in TYPES).sort();
  if (!files.includes('index.html')) return undefined;
  const page = new Map<string, PageFile>();
  for (const name of files) {
    const file = { type: TYPES[extname(name)]!, body: await readFile(join(folder, name)) };
    page.set(name === 'index.html' ? '/' : `/${name}`, file);
  }
  return page;
}
