// The files of an installation, below `usr` and `etc`: what every package has.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root } from '../bundle.js';
import { formatNotices } from '../third-party.js';
import { formatCopyright } from './copyright.js';
import { put, putCompressed } from './deb.js';
import { linkedDocuments } from './documents.js';
import { makeExecutable } from './executable.js';
import { makePieces } from './pieces.js';
import { fail, fetchLibraries, needsGlibc, run, workshop } from './tools.js';

/** Debian 12's C library: the minimum that a host must have. */
export const GLIBC = '2.36';

/**
 * Makes the folder; gives it, with what went into the program: Node's version, the folders of npm's packages, Debian's
 * libraries. `year` is that of the copyright.
 */
export async function makeTree(architecture, programs, year) {
  const { name, runtime, koffi, koffiFile } = architecture;
  for (const folder of [koffi, join(root, 'node_modules/koffi')]) versionsOfKoffi.add(versionIn(folder));
  if (versionsOfKoffi.size > 1)
    fail(`koffi is there in versions ${[...versionsOfKoffi].join(' and ')}: see packaging/package.json`);
  console.log(`# making the executable for ${name}`);
  const libraries = await fetchLibraries(name);
  const node = join(runtime, 'bin', 'node');
  const runNode = (args, options) => programs.run(architecture, libraries.root, [node, ...args], options);
  const folder = join(workshop, `root-${name}`);
  rmSync(folder, { recursive: true, force: true });
  const program = join(folder, 'usr/bin/pvusb');
  const { pieces, packages } = await makePieces(runNode);
  makeExecutable(program, {
    node,
    runNode,
    strip: (file) => programs.strip(architecture, file),
    pieces,
    // Beside it wherever it is unpacked; where it is installed also without /proc, which tells it where it is.
    libraries: ['$ORIGIN/../lib/pvusb', '/usr/lib/pvusb'],
  });
  for (const file of [koffiFile, ...libraries.files]) {
    put(join(folder, 'usr/lib/pvusb', basename(file)), readFileSync(file));
  }
  const needed = needsGlibc(programs, architecture, [program, koffiFile, ...libraries.files]);
  if (needed.localeCompare(GLIBC, 'en', { numeric: true }) > 0)
    fail(`the program would need glibc ${needed}`);
  const made = {
    folder,
    libraries,
    packages,
    licences: programs.licences,
    node: runNode(['--version']).trim(),
  };
  addDocuments(made, runtime, year);
  mkdirSync(join(folder, 'etc/pvusb'), { recursive: true });
  return made;
}

/** Its binary and its JavaScript belong together. */
const versionsOfKoffi = new Set();

function versionIn(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}

function addDocuments({ folder, libraries, packages, node }, runtime, year) {
  const share = join(folder, 'usr/share');
  const documents = join(share, 'doc/pvusb');
  const completion = (shell) => run(process.execPath, [join(root, 'dist/cli/main.cjs'), 'completion', shell]);
  putCompressed(join(share, 'man/man1/pvusb.1'), readFileSync(join(root, 'dist/man/pvusb.1')));
  put(join(share, 'bash-completion/completions/pvusb'), completion('bash'));
  put(join(share, 'zsh/vendor-completions/_pvusb'), completion('zsh'));
  put(join(share, 'fish/vendor_completions.d/pvusb.fish'), completion('fish'));
  put(join(documents, 'copyright'), formatCopyright({ year, node, libraries, packages }));
  putCompressed(join(documents, 'third-party-licences'), formatNotices([...packages, 'node_modules/koffi']));
  putCompressed(join(documents, 'nodejs-licences'), readFileSync(join(runtime, 'LICENSE')));
  putCompressed(join(documents, `${libraries.source}-copyright`), readFileSync(libraries.copyright));
  // As in the sources, so that links lead where they should.
  for (const file of linkedDocuments()) put(join(documents, file), readFileSync(join(root, file)));
}
