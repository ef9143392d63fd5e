// The package's copyright file: packaging/copyright.in with the versions and holders of what was put in.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, version } from '../bundle.js';
import { readPackage } from '../third-party.js';
import { fail } from './tools.js';

/** Writes it; `packages` are the folders of those that the program has inside. */
export function formatCopyright({ year, node, libraries, packages }) {
  const inside = packages.map(describe);
  const koffi = describe('node_modules/koffi');
  const values = {
    version,
    year,
    node,
    gcc: libraries.source,
    'gcc.version': libraries.version,
    packages: inside.map((part) => ` ${part.name} ${part.version}`).join(';\n'),
    holders: inside.map((part) => ` ${part.holder} (${part.name})`).join('\n'),
    'koffi.version': koffi.version,
    'koffi.holder': koffi.holder,
  };
  const form = readFileSync(join(root, 'packaging', 'copyright.in'), 'utf8');
  return form.replace(/\{([\w.]+)\}/g, (_, key) => values[key] ?? fail(`copyright.in asks for ${key}`));
}

/** One that has changed its licence ends the packaging. */
function describe(folder) {
  const { name, version, license, author, notices } = readPackage(folder);
  if (license !== 'MIT') fail(`${name} is under ${license}: see to packaging/copyright.in`);
  const holder = /^Copyright \(c\)\s+(.*)$/im.exec(notices[0].text)?.[1].replace(/\s+/g, ' ') ?? author;
  return { name, version, holder: holder ?? fail(`${name} does not say whose it is`) };
}
