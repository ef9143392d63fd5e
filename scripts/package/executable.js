// The program as one executable: Node with the program's pieces inside ("single executable application").
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../bundle.js';
import { extendElf } from './elf.js';
import { fail, workshop } from './tools.js';

/** What Node looks for in its own memory, and the marker that makes it look. */
const NOTE = 'NODE_SEA_BLOB';
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/**
 * Writes the executable: `node` is the file that it is made of, `runNode` runs it, `strip` takes the symbols out of a
 * copy. Its libraries are in the folders `libraries`.
 */
export function makeExecutable(executable, { node, runNode, strip, pieces, libraries }) {
  const blob = join(workshop, 'blob');
  const config = join(workshop, 'blob.json');
  const settings = {
    // From the project's folder: the executable remembers what it was called.
    main: 'scripts/package/start.cjs',
    output: blob,
    disableExperimentalSEAWarning: true,
    // The program's own arguments and environment, not Node's: NODE_OPTIONS has no effect.
    execArgvExtension: 'none',
    assets: pieces,
  };
  writeFileSync(config, JSON.stringify(settings));
  runNode(['--experimental-sea-config', config], { cwd: root, env: {} });

  // Debug symbols make up a seventh of it.
  const stripped = join(workshop, 'node');
  copyFileSync(node, stripped);
  strip(stripped);
  const file = readFileSync(stripped);
  const fuse = file.indexOf(`${FUSE}:0`);
  if (fuse < 0 || file.indexOf(FUSE, fuse + 1) >= 0) fail('this Node cannot be made into an executable');
  file.write('1', fuse + FUSE.length + 1);
  const note = { name: NOTE, data: readFileSync(blob) };
  mkdirSync(dirname(executable), { recursive: true });
  writeFileSync(executable, extendElf(file, { note, runpath: libraries.join(':') }), { mode: 0o755 });
}
