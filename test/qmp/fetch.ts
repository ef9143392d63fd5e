/** A QEMU for the tests: the machine's own, otherwise Debian's, unpacked into the cache folder and never installed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { orSkip, programPath } from '../support/needs.js';
import { cacheFolder, key, libraryFolders, provide, run, unpackPackages } from '../support/packages.js';

/** How to start a QEMU. */
export interface QemuKit {
  readonly program: string;
  readonly environment: NodeJS.ProcessEnv;
}

const PROGRAM = 'qemu-system-x86_64';

const TO_INSTALL = "qemu-system-x86, or apt and dpkg with Debian's archive in reach";

/** QEMU and every library it is linked with, except those of the C compiler, which any Debian has. */
const PACKAGES = [
  ...['qemu-system-x86', 'qemu-system-common', 'qemu-system-data', 'seabios'],
  ...['libaio1', 'libblkid1', 'libbpf1', 'libcapstone4', 'libdaxctl1', 'libelf1', 'libfdt1', 'libffi8'],
  ...['libfuse3-3', 'libglib2.0-0', 'libgmp10', 'libgnutls30', 'libhogweed6', 'libibverbs1', 'libidn2-0'],
  ...['libjpeg62-turbo', 'libkmod2', 'liblzma5', 'libmount1', 'libndctl6', 'libnettle8', 'libnl-3-200'],
  ...['libnl-route-3-200', 'libnuma1', 'libp11-kit0', 'libpcre2-8-0', 'libpixman-1-0', 'libpmem1'],
  ...['libpng16-16', 'librdmacm1', 'libsasl2-2', 'libseccomp2', 'libselinux1', 'libslirp0', 'libssl3'],
  ...['libtasn1-6', 'libudev1', 'libunistring2', 'liburing2', 'libusb-1.0-0', 'libuuid1', 'libvdeplug2'],
  ...['libzstd1', 'zlib1g'],
];

/** Raise it when the way of fetching changes. */
const RECIPE = 'qemu-1';

/** A QEMU that starts, or why the tests that need it are skipped; with `CI=true` a missing one is an error. */
export async function qemuOrSkip(): Promise<{
  readonly kit: QemuKit | undefined;
  readonly skip: string | false;
}> {
  const { found: kit, skip } = await orSkip('the client on a real QEMU', TO_INSTALL, async () => {
    const kit = installed() ?? (await fetched());
    await run('env', [...settings(kit), kit.program, '--version']);
    return kit;
  });
  return { kit, skip };
}

function settings(kit: QemuKit): string[] {
  return Object.entries(kit.environment).map(([name, value]) => `${name}=${value}`);
}

/** `PVUSB_TEST_QEMU=fetched` ignores the machine's own. */
function installed(): QemuKit | undefined {
  if (process.env.PVUSB_TEST_QEMU === 'fetched') return undefined;
  const program = programPath(PROGRAM);
  return program === undefined ? undefined : { program, environment: {} };
}

async function fetched(): Promise<QemuKit> {
  const root = join(cacheFolder(), `qemu-${key(RECIPE, process.arch, ...PACKAGES)}`);
  await provide(root, 'downloading QEMU from Debian', (folder) => unpackPackages(folder, 'QEMU', PACKAGES));
  const libraries = await libraryFolders(root);
  const modules = libraries.map((folder) => join(folder, 'qemu')).find((folder) => existsSync(folder)) ?? '';
  return {
    program: join(root, 'usr/bin', PROGRAM),
    environment: { LD_LIBRARY_PATH: libraries.join(':'), QEMU_MODULE_DIR: modules },
  };
}
