// What the program has inside of others: packages of npm, and their licences.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './bundle.js';

/** The folders of the packages that esbuild has put into bundles, by its metafiles: `node_modules/zod`. */
export function bundledPackages(metafiles) {
  const files = metafiles.flatMap(({ outputs }) =>
    Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs)),
  );
  const folders = files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0] ?? []);
  return [...new Set(folders)].sort();
}

/** What a package in this folder says of itself, and its notices; one without them must not be passed on. */
export function readPackage(folder) {
  const { name, version, license, author, homepage, repository } = JSON.parse(
    readFileSync(join(root, folder, 'package.json'), 'utf8'),
  );
  const notices = filesOf(folder)
    .filter((file) => /(^|\/)(licen[cs]e|copying|notice)[^/]*$/i.test(file))
    .map((file) => ({ file, text: readFileSync(join(root, folder, file), 'utf8') }));
  if (!license || notices.length === 0) throw new Error(`${name} does not say under which licence it is`);
  return { name, version, license, author, home: homepage ?? repository?.url ?? repository, notices };
}

/** The notices of packages in these folders, as one text. */
export function formatNotices(folders) {
  const chapters = folders.map(readPackage).map(({ name, version, license, home, notices }) => {
    const title = `${name} ${version} (${license})`;
    const head = [title, '='.repeat(title.length), ...(home ? [home] : [])].join('\n');
    // What a package has of others comes with licences of its own.
    const texts = notices.map(({ file, text }) => (file.includes('/') ? `${file}:\n\n` : '') + text.trim());
    return [head, ...texts].join('\n\n');
  });
  return `The program pvusb and its page have these packages of others inside.\n\n${chapters.join('\n\n\n')}\n`;
}

/** Its own files, not those of packages that it needs. */
function filesOf(folder, below = '') {
  return readdirSync(join(root, folder, below), { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules')
    .flatMap((entry) => {
      const path = join(below, entry.name);
      return entry.isDirectory() ? filesOf(folder, path) : existsSync(join(root, folder, path)) ? [path] : [];
    })
    .sort();
}
