/**
 * A suite's own compiler, which runs on a machine of any release: every program of it is started by its own loader with
 * its own C library. So the same modules are made everywhere, with the flags that the kernel's headers expect.
 */
import { chmod, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { run } from '../base/process.js';
import { progress } from '../base/progress.js';
import { mergeFolders } from '../debian/suites.js';
import { unpack } from './packages.js';

/** Tells the programs where they are: the folder has another name while it is being made. */
const VARIABLE = 'PVUSB_LAB_COMPILER';

/** A compiler in a folder. */
export interface Compiler {
  readonly root: string;
  /** The program's name. */
  readonly cc: string;
  /** What it needs in its environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** Unpacks a compiler and the kernel's headers into an empty folder. */
export async function unpackCompiler(root: string, debs: readonly string[]): Promise<void> {
  progress('unpacking the compiler');
  await mergeFolders(root);
  for (const deb of debs)
    await unpack(deb, root, ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*']);
  // The kernel's build has programs, too.
  const found = await run('find', [root, '-type', 'f', '-perm', '-100', '!', '-name', '*.so*']);
  for (const file of found.trim().split('\n')) if (await needsLoader(file)) await wrap(root, file);
}

/** The compiler that {@link unpackCompiler} has unpacked. */
export async function findCompiler(root: string): Promise<Compiler> {
  const programs = await readdir(join(root, 'usr/bin'));
  const cc = programs.find((name) => /^x86_64-linux-gnu-gcc-\d+$/.test(name))!;
  const PATH = `${join(root, 'usr/bin')}:${process.env.PATH ?? ''}`;
  return { root, cc, env: { PATH, [VARIABLE]: root } };
}

/** Compiles a program or a library of one file. */
export async function compile(
  { root, cc, env }: Compiler,
  source: string,
  target: string,
  options: readonly string[],
): Promise<void> {
  await run(cc, [`--sysroot=${root}`, '-O2', '-Wall', ...options, '-o', target, source], { env });
}

/** Whether a file is a program that is linked dynamically. */
async function needsLoader(file: string): Promise<boolean> {
  await using handle = await open(file);
  const head = Buffer.alloc(4096);
  await handle.read(head, 0, head.length, 0);
  return head.subarray(0, 4).equals(Buffer.from('\x7fELF')) && head.includes('/ld-linux-x86-64.so.2\0');
}

/** Puts a script in the place of a program. */
async function wrap(root: string, file: string): Promise<void> {
  const program = `${file}.elf`;
  await rename(file, program);
  const at = (path: string) => `"$${VARIABLE}/${path}"`;
  const libraries = 'usr/lib/x86_64-linux-gnu';
  const loader = `${at(`${libraries}/ld-linux-x86-64.so.2`)} --library-path ${at(libraries)}`;
  await writeFile(file, `#!/bin/sh\nexec ${loader} --argv0 "$0" ${at(relative(root, program))} "$@"\n`);
  await chmod(file, 0o755);
}

/** Makes the kernel's headers usable where they are: they name each other by the paths that they have when installed. */
export async function headersFor({ root }: Compiler, release: string): Promise<string> {
  const headers = join(root, 'usr/src', `linux-headers-${release}`);
  const makefile = join(headers, 'Makefile');
  const text = await readFile(makefile, 'utf8');
  await writeFile(
    makefile,
    text.replaceAll(/^(include |KBUILD_OUTPUT=)\/usr\/src/gm, `$1${join(root, 'usr/src')}`),
  );
  return headers;
}
