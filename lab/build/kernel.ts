/** Xen and Linux, unpacked and made ready to boot, and the kernel modules that Debian does not have. */
import { copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { LabError } from '../base/error.js';
import { type Packages, unpack } from './packages.js';
import { sourcePath } from '../base/paths.js';
import { run, runPiped } from '../base/process.js';
import { progress } from '../base/progress.js';

/** The modules that are compiled here, by their folders in `sources`. */
const OWN_MODULES = ['xen-hcd', 'usbback'] as const;

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

/** Unpacks Xen, Linux and what modules are compiled with into an empty folder. */
export async function unpackKernel(folder: string, packages: Packages): Promise<void> {
  progress('unpacking Xen and Linux');
  const { release, image, headers, source, hypervisor } = packages;
  const root = kernelFiles.root(folder);
  await mkdir(root);
  await unpack(image, root);
  await rm(join(root, 'usr'), { recursive: true, force: true });
  await run('depmod', ['-b', root, release]);
  const vmlinuz = kernelFiles.vmlinuz(folder);
  await copyFile(join(root, 'boot', `vmlinuz-${release}`), vmlinuz);
  await writeFile(kernelFiles.vmlinux(folder), await unwrap(vmlinuz));

  const scratch = join(folder, 'hypervisor');
  await mkdir(scratch);
  await unpack(hypervisor, scratch);
  const boot = join(scratch, 'boot');
  const xen = (await readdir(boot)).find((name) => /^xen-[\d.]+-amd64\.gz$/.test(name));
  if (xen === undefined) throw new LabError(`no Xen in ${hypervisor}`);
  await writeFile(kernelFiles.xen(folder), gunzipSync(await readFile(join(boot, xen))));
  await rm(scratch, { recursive: true });

  const headerRoot = join(folder, 'headers');
  await mkdir(headerRoot);
  for (const deb of headers) await unpack(deb, headerRoot);
  await unpackFrontend(source, join(folder, 'xen-hcd'));
}

/** Compiles the modules that Debian does not have into an empty folder, as `NAME.ko`. */
export async function compileModules(folder: string, kernel: string, release: string): Promise<void> {
  const headers = join(kernel, 'headers/usr/src', `linux-headers-${release}`);
  const makefile = join(headers, 'Makefile');
  // It includes another by the path that this has when installed.
  const text = await readFile(makefile, 'utf8');
  await writeFile(
    makefile,
    text.replace(/^include \/usr\/src/m, `include ${join(kernel, 'headers/usr/src')}`),
  );
  for (const name of OWN_MODULES) {
    progress(`compiling ${name}.ko`);
    const scratch = join(folder, name);
    await cp(name === 'usbback' ? sourcePath('usbback') : join(kernel, name), scratch, { recursive: true });
    await run('make', ['-C', headers, `M=${scratch}`, 'modules'], { nice: true });
    await run('strip', ['--strip-debug', '-o', join(folder, `${name}.ko`), join(scratch, `${name}.ko`)]);
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

/** Extracts Linux from a bzImage (Documentation/x86/boot.rst: setup_sects, payload_offset, payload_length). */
async function unwrap(vmlinuz: string): Promise<Buffer> {
  const image = await readFile(vmlinuz);
  const begin = (image.readUInt8(0x1f1) + 1) * 512 + image.readUInt32LE(0x248);
  const packed = image.subarray(begin, begin + image.readUInt32LE(0x24c));
  const scratch = `${vmlinuz}.xz`;
  await writeFile(scratch, packed);
  // After the single stream comes its length, which is not xz.
  const vmlinux = await runPiped(['cat', scratch], ['xz', '-dc', '--single-stream']);
  await rm(scratch);
  return vmlinux;
}
