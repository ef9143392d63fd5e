// The package's copyright file: packaging/copyright.in with the versions and holders of what was put in.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, version } from '../bundle.js';
import { fail } from './tools.js';

/** npm's packages that are put in, by their names in the file. */
const PACKAGES = { commander: 'commander', zod: 'zod', koffi: 'koffi' };

/** Writes it. */
export function formatCopyright({ year, node, libraries }) {
  const values = { version, year, node, gcc: libraries.source, 'gcc.version': libraries.version };
  for (const [short, name] of Object.entries(PACKAGES)) {
    const part = describe(name);
    values[`${short}.version`] = part.version;
    values[`${short}.holder`] = part.holder;
  }
  const form = readFileSync(join(root, 'packaging', 'copyright.in'), 'utf8');
  return form.replace(/\{([\w.]+)\}/g, (_, key) => values[key] ?? fail(`copyright.in asks for ${key}`));
}

/** What an installed package says of itself; one that has changed its licence ends the packaging. */
function describe(name) {
  const folder = join(root, 'node_modules', name);
  const { version, license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (license !== 'MIT') fail(`${name} is under ${license}: see to packaging/copyright.in`);
  const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  const text = file ? readFileSync(join(folder, file), 'utf8') : '';
  const holder = /^Copyright \(c\)\s+(.*)$/im.exec(text)?.[1].replace(/\s+/g, ' ') ?? author;
  return { version, holder: holder ?? fail(`${name} does not say whose it is`) };
}
