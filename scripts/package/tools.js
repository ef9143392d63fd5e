// What packages are made with: from npm, by packaging/package-lock.json, and from Debian 12, whatever this machine runs.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { root } from '../bundle.js';
import { installTools } from '../install-tools.js';

/** Where everything is made. */
export const workshop = join(root, 'build', 'package');

const packaging = join(root, 'packaging');

/** Exits with a message that says what to do, without a stack trace. */
export function fail(message) {
  console.error(`package: ${message}`);
  process.exit(1);
}

/** Runs a program to its end and returns what it prints; any failure stops the packaging. */
export function run(program, args, options = {}) {
  const done = spawnSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 28,
    ...options,
  });
  if (done.error?.code === 'ENOENT') fail(`${program} is missing here`);
  if (done.status !== 0) {
    const why = done.error?.message ?? `${done.stderr ?? ''}${done.stdout ?? ''}`.trim();
    fail(`${basename(program)} ${args.join(' ')}: ${why || `status ${done.status}`}`);
  }
  return done.stdout;
}

/** Installs the tools from npm with which packages are made and checked. */
export const installPackaging = () => installTools(packaging, { anyProcessor: true });

/** One of the tools that packaging/package.json names. */
export const tool = (name) => join(packaging, 'node_modules', '.bin', name);

/** The suite whose C library is the minimum that a host must have. */
const SUITE = 'bookworm';

/** The packages of the archives' keys, and their versions. */
const KEYRINGS = {
  Debian: ['debian-archive-keyring', '2025.1'],
  Ubuntu: ['ubuntu-archive-keyring', '2023.11.28'],
};

/** What the tests and the lab fetch packages with: one of their modules. */
async function load(folder, name) {
  mkdirSync(workshop, { recursive: true });
  const outfile = join(workshop, `${name}.mjs`);
  const entry = join(root, folder, `${name}.ts`);
  await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm' });
  return import(`file://${outfile}`);
}

/** Programs of Debian 12 that run here: those of binutils for each processor, and emulators. */
export async function fetchPrograms() {
  const { unpackSuite, inSuite } = await load('test/support', 'suites');
  const place = await unpackSuite(SUITE, {
    name: 'package-tools',
    packages: ['binutils-x86-64-linux-gnu', 'binutils-aarch64-linux-gnu', 'qemu-user-static', 'base-files'],
    pinned: { package: 'binutils', version: '2.40' },
  });
  const path = (name) => join(place.root, 'usr/bin', name);
  const binutils = ({ machine }, name, args) =>
    run(...inSuite(place, path(`${machine}-linux-gnu-${name}`), args));
  return {
    path,
    /** Where the licences are that Debian's packages only name. */
    licences: join(place.root, 'usr/share/common-licenses'),
    strip: (architecture, file) => binutils(architecture, 'strip', [file]),
    symbols: (architecture, file) => binutils(architecture, 'objdump', ['-T', file]),
    /** Runs a program for that processor, which finds its libraries below `libraries`; emulated where it must be. */
    run({ isNative, emulator }, libraries, [program, ...args], options) {
      if (isNative) return run(program, args, options);
      return run(path(emulator), ['-L', libraries, program, ...args], options);
    },
  };
}

/** The keys of an archive: Debian has Ubuntu's, too. */
export async function fetchKeyring(archive) {
  const { unpackSuite } = await load('test/support', 'suites');
  const [name, version] = KEYRINGS[archive];
  const pinned = { package: name, version };
  const place = await unpackSuite('trixie', { name, packages: [name, 'libc6'], pinned });
  return join(place.root, 'usr/share/keyrings', `${name}.gpg`);
}

/** The folder with debootstrap of Debian 13, which also knows the later releases of Debian and Ubuntu. */
export async function fetchDebootstrap() {
  const { unpackSuite } = await load('test/support', 'suites');
  const pinned = { package: 'debootstrap', version: '1.0' };
  return (await unpackSuite('trixie', { name: 'debootstrap', packages: ['debootstrap', 'libc6'], pinned }))
    .root;
}

/** The likeliest mirror of an archive; without any it stops with what to do. */
export async function findMirror(archive) {
  const { findMirrors } = await load('lab/debian', 'mirrors');
  const [mirror] = await findMirrors(archive).catch((error) => fail(error.message));
  return mirror;
}

/** A folder with busybox and musl. */
export async function fetchMusl() {
  const { unpackSuite } = await load('test/support', 'suites');
  const pinned = { package: 'musl', version: '1.2.5' };
  return (
    await unpackSuite('trixie', { name: 'musl', packages: ['musl', 'busybox-static', 'libc6'], pinned })
  ).root;
}

/** The libraries that Node needs besides the C library; a Xen host need not have them. */
const LIBRARIES = ['libstdc++.so.6', 'libgcc_s.so.1'];

/**
 * Debian's own build of these libraries. Returns their files, the versions of their packages, their source and its
 * copyright file, and the folder in which programs for that processor find a C library.
 */
export async function fetchLibraries(architecture) {
  const { unpackSuite } = await load('test/support', 'suites');
  const place = await unpackSuite(SUITE, {
    name: 'libstdc++',
    packages: ['libstdc++6'],
    pinned: { package: 'libstdc++6', version: '12.2.0' },
    architecture,
  });
  const debs = readFileSync(join(place.root, 'packages'), 'utf8').trim().split('\n').slice(1);
  const packages = debs.map((deb) => {
    const [name, version] = deb.split('_');
    return { name, version: decodeURIComponent(version) };
  });
  const base = packages.find(({ name }) => /^gcc-\d+-base$/.test(name));
  return {
    root: place.root,
    files: LIBRARIES.map((name) => join(place.libraries, name)),
    packages: packages.filter(({ name }) => name === 'libstdc++6' || name.startsWith('libgcc-s')),
    source: base.name.replace('-base', ''),
    version: base.version,
    copyright: join(place.root, 'usr/share/doc', base.name, 'copyright'),
  };
}

/** The highest version of the C library that these programs and libraries ask for: `2.36`. */
export function needsGlibc(programs, architecture, files) {
  const asked = files.flatMap((file) => programs.symbols(architecture, file).match(/GLIBC_[\d.]+/g) ?? []);
  const versions = [...new Set(asked)].map((name) => name.replace('GLIBC_', ''));
  return versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
}
