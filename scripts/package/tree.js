// The files of an installation, below `usr` and `etc`: what every package has.
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { root } from '../bundle.js';
import { makeLauncher } from '../launcher.js';
import { buildPage } from '../page.js';
import { bundledPackages, formatNotices } from '../third-party.js';
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
  const program = join(folder, 'usr/lib/pvusb/pvusb');
  const { pieces, packages } = await makePieces(runNode);
  const page = await addPage(folder);
  makeExecutable(program, {
    node,
    runNode,
    strip: (file) => programs.strip(architecture, file),
    pieces,
    // Beside it wherever it is unpacked; where it is installed also without /proc, which tells it where it is.
    libraries: ['$ORIGIN', '/usr/lib/pvusb'],
  });
  for (const file of [koffiFile, ...libraries.files]) {
    put(join(folder, 'usr/lib/pvusb', basename(file)), readFileSync(file));
  }
  const launcher = addLauncher(folder, architecture);
  const needed = needsGlibc(programs, architecture, [program, ...launcher, koffiFile, ...libraries.files]);
  if (needed.localeCompare(GLIBC, 'en', { numeric: true }) > 0)
    fail(`the program would need glibc ${needed}`);
  const made = {
    folder,
    libraries,
    packages: [...new Set([...packages, ...page])].sort(),
    licences: programs.licences,
    node: runNode(['--version']).trim(),
  };
  addDocuments(made, runtime, year);
  addUnits(folder);
  mkdirSync(join(folder, 'etc/pvusb'), { recursive: true });
  return made;
}

/**
 * What is started as `pvusb`: it has the daemon run a command, or starts the program. Where no compiler makes it for the
 * processor, something that only does the latter.
 */
function addLauncher(folder, { name }) {
  const launcher = join(folder, 'usr/bin/pvusb');
  mkdirSync(dirname(launcher), { recursive: true });
  if (makeLauncher(launcher, undefined, COMPILERS[name])) {
    chmodSync(launcher, 0o755);
    return [launcher];
  }
  console.error(`# there is no C compiler for ${name}: its package has no launcher`);
  put(launcher, '#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/../lib/pvusb/pvusb" "$@"\n');
  chmodSync(launcher, 0o755);
  return [];
}

/** By Debian's names of processors. */
const COMPILERS = { amd64: 'cc', arm64: 'aarch64-linux-gnu-gcc' };

function addUnits(folder) {
  const from = join(root, 'packaging/systemd');
  for (const unit of readdirSync(from).filter((name) => name.startsWith('pvusb')))
    put(join(folder, 'usr/lib/systemd/system', unit), readFileSync(join(from, unit)));
  put(join(folder, 'usr/lib/tmpfiles.d/pvusb.conf'), readFileSync(join(from, 'tmpfiles.conf')));
}

/** The page of the daemon; gives the folders of npm's packages that are in it. */
async function addPage(folder) {
  const from = join(workshop, 'web');
  const made = await buildPage(from);
  for (const name of readdirSync(from))
    put(join(folder, 'usr/share/pvusb/web', name), readFileSync(join(from, name)));
  return bundledPackages([made]);
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
  for (const page of readdirSync(join(root, 'dist/man'))) {
    const section = page.slice(page.lastIndexOf('.') + 1);
    putCompressed(join(share, `man/man${section}`, page), readFileSync(join(root, 'dist/man', page)));
  }
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
