/** Xen and Linux, unpacked and made ready to boot, and the kernel modules that Debian does not have. */
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { LabError } from '../base/error.js';
import { sourcePath } from '../base/paths.js';
import { run, runPiped } from '../base/process.js';
import { progress } from '../base/progress.js';
import { mergeFolders } from '../debian/suites.js';
import { type Compiler, headersFor } from './compiler.js';
import { ALL_MODULES, moduleFiles } from './modules.js';
import { type Packages, unpack } from './packages.js';

/** Where things are in a kernel's folder. */
export const kernelFiles = {
  /** Xen, as QEMU boots it. */
  xen: (folder: string) => join(folder, 'xen'),
  /** Linux uncompressed: uncompressing it takes an emulated machine 15 seconds. */
  vmlinux: (folder: string) => join(folder, 'vmlinux'),
  /** Linux as Debian ships it, which is what a QEMU boots. */
  vmlinuz: (folder: string) => join(folder, 'vmlinuz'),
  /** What stands in for `/`: `lib/modules` is below it. */
  root: (folder: string) => join(folder, 'root'),
};

/** Unpacks Xen, Linux and the source of its frontend into an empty folder. */
export async function unpackKernel(folder: string, packages: Packages): Promise<void> {
  progress('unpacking Xen and Linux');
  const { release, linux, source, hypervisor } = packages;
  const root = kernelFiles.root(folder);
  await mkdir(root);
  await mergeFolders(root);
  for (const deb of linux) await unpack(deb, root, ['/usr/share/*']);
  await decompressModules(root, release);
  const vmlinuz = kernelFiles.vmlinuz(folder);
  const places = [
    join(root, 'boot', `vmlinuz-${release}`),
    join(root, 'usr/lib/modules', release, 'vmlinuz'),
  ];
  await copyFile(places.find((path) => existsSync(path)) ?? places[0]!, vmlinuz);
  await writeFile(kernelFiles.vmlinux(folder), await unwrap(vmlinuz));

  const scratch = join(folder, 'hypervisor');
  await mkdir(scratch);
  await unpack(hypervisor, scratch);
  const boot = join(scratch, 'boot');
  const xen = (await readdir(boot)).find((name) => /^xen-[\d.]+-amd64\.gz$/.test(name));
  if (xen === undefined) throw new LabError(`no Xen in ${hypervisor}`);
  await writeFile(kernelFiles.xen(folder), gunzipSync(await readFile(join(boot, xen))));
  await rm(scratch, { recursive: true });

  for (const deb of source) await unpackFrontend(deb, join(folder, 'xen-hcd'));
}

/** Decompresses the modules that are used: neither busybox nor an emulated machine should have to. */
async function decompressModules(root: string, release: string): Promise<void> {
  await run('depmod', ['-b', root, release]);
  const packed = (await moduleFiles(root, release, ALL_MODULES)).filter((file) => file.endsWith('.xz'));
  if (packed.length === 0) return;
  await run('xz', ['-d', ...packed]);
  await run('depmod', ['-b', root, release]);
}

/**
 * Compiles the modules that Debian's kernel does not have into an empty folder, as `NAME.ko`: the stand-in for usbback,
 * and the frontend, if {@link unpackKernel} has unpacked it.
 */
export async function compileModules(
  folder: string,
  kernel: string,
  compiler: Compiler,
  release: string,
): Promise<void> {
  const headers = await headersFor(compiler, release);
  const frontend = join(kernel, 'xen-hcd');
  const sources = {
    usbback: sourcePath('usbback'),
    ...(existsSync(frontend) ? { 'xen-hcd': frontend } : {}),
  };
  const { cc, env } = compiler;
  for (const [name, source] of Object.entries(sources)) {
    progress(`compiling ${name}.ko`);
    const scratch = join(folder, name);
    await cp(source, scratch, { recursive: true });
    await run('make', ['-C', headers, `M=${scratch}`, `CC=${cc}`, 'modules'], { nice: true, env });
    const made = join(scratch, `${name}.ko`);
    await run('x86_64-linux-gnu-strip', ['--strip-debug', '-o', join(folder, `${name}.ko`), made], { env });
    await rm(scratch, { recursive: true });
  }
}

/** The PVUSB frontend: in Linux since 5.16, but not built by Debian. */
async function unpackFrontend(source: string, folder: string): Promise<void> {
  await mkdir(folder);
  const archive = /linux-source-[\d.]+(?=_)/.exec(source)![0];
  const file = `${archive}/drivers/usb/host/xen-hcd.c`;
  // tar stops at the file, in the middle of the archive.
  const pick = `tar -xO ./usr/src/${archive}.tar.xz | xz -dc -T0 | tar -xO --occurrence=1 ${file}`;
  const text = await runPiped(['dpkg-deb', '--fsys-tarfile', source], ['sh', '-c', pick]);
  await writeFile(join(folder, 'xen-hcd.c'), text);
  await writeFile(join(folder, 'Makefile'), 'obj-m := xen-hcd.o\n');
}

/** How a bzImage's payload begins, and what decompresses it (Documentation/arch/x86/boot.rst: payload_offset). */
const PAYLOADS = { fd377a585a00: ['xz', '-dc'], '28b52ffd': ['zstd', '-dcq'] } as const;

/** Extracts Linux from a bzImage (the same document: setup_sects, payload_offset, payload_length). */
async function unwrap(vmlinuz: string): Promise<Buffer> {
  const image = await readFile(vmlinuz);
  const begin = (image.readUInt8(0x1f1) + 1) * 512 + image.readUInt32LE(0x248);
  // The payload ends with its length, decompressed.
  const packed = image.subarray(begin, begin + image.readUInt32LE(0x24c) - 4);
  const [, unpacker] =
    Object.entries(PAYLOADS).find(([magic]) => packed.subarray(0, 8).toString('hex').startsWith(magic)) ?? [];
  if (unpacker === undefined) throw new LabError(`${vmlinuz} is compressed in an unknown way`);
  const scratch = `${vmlinuz}.packed`;
  await writeFile(scratch, packed);
  const vmlinux = await runPiped(['cat', scratch], [...unpacker]);
  await rm(scratch);
  return vmlinux;
}
