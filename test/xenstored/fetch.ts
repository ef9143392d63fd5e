/**
 * Debian's real xenstored daemons for tests: downloaded and unpacked into a cache folder, never installed.
 *
 * The daemons need a hypervisor; `native/shim.c` stands in for the few calls that they make to it, and
 * `native/xsbridge.c` plays a guest. Both are compiled with the machine's gcc.
 */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { orSkip } from '../support/needs.js';
import { cacheFolder, key, libraryFolders, provide, run, unpackPackages } from '../support/packages.js';

/** Where the pieces of an unpacked kit are. */
export interface Kit {
  /** The folder in place of `/` for the unpacked packages. */
  readonly root: string;
  /** The folder of the shared libraries, for LD_LIBRARY_PATH. */
  readonly libraries: string;
  /** The folder of `xenstore-ls` and the like. */
  readonly programs: string;
  /** The folder of pyxs, for PYTHONPATH. */
  readonly python: string;
  /** The C daemon and the OCaml daemon. */
  readonly xenstored: string;
  readonly oxenstored: string;
  /** oxenstored's configuration as Debian ships it. */
  readonly oxenstoredConfig: string;
  /** The compiled stand-ins. */
  readonly shim: string;
  readonly bridge: string;
}

const PACKAGES = [
  'xen-utils-4.17',
  'xen-utils-common',
  'xenstore-utils',
  'libxen-dev',
  'libxenstore4',
  'libxenmisc4.17',
  'libxencall1',
  'libxenevtchn1',
  'libxengnttab1',
  'libxenforeignmemory1',
  'libxendevicemodel1',
  'libxentoolcore1',
  'libxentoollog1',
  'libxenhypfs1',
  'python3-pyxs',
];

/** What `fetchKit` runs. */
const TO_INSTALL = "gcc, libc6-dev, apt and dpkg, with Debian's archive in reach";

/** Raise it when the way of fetching changes: the old cache is then left alone. */
const RECIPE = '1';

let fetching: Promise<Kit> | undefined;

/**
 * The kit, fetched and compiled when the cache has none. Several processes may call it at once: each builds in
 * a folder of its own, and the first to rename it into place wins.
 *
 * @throws {Error} saying why it is not available
 */
export function fetchXenstored(): Promise<Kit> {
  fetching ??= fetchKit();
  return fetching;
}

/** The kit, or why the tests that need it are skipped; with `CI=true` a missing kit is an error. */
export async function kitOrSkip(): Promise<{ readonly kit: Kit | undefined; readonly skip: string | false }> {
  const { found: kit, skip } = await orSkip('pvusb on the real xenstored', TO_INSTALL, fetchXenstored);
  return { kit, skip };
}

/** The project's folder: sources in other languages are there, and not next to the compiled test. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    if (folder === dirname(folder)) throw new Error('no package.json above the tests');
    folder = dirname(folder);
  }
  return folder;
}

async function fetchKit(): Promise<Kit> {
  const cache = cacheFolder();
  const sources = join(projectRoot(), 'test', 'xenstored', 'native');
  const [shimSource, bridgeSource] = [join(sources, 'shim.c'), join(sources, 'xsbridge.c')];
  const packagesKey = key(RECIPE, process.arch, ...PACKAGES);
  const nativeKey = key(
    packagesKey,
    await readFile(shimSource, 'utf8'),
    await readFile(bridgeSource, 'utf8'),
  );
  const root = join(cache, `debian-${packagesKey}`);
  const native = join(cache, `native-${nativeKey}`);
  await provide(root, 'downloading xenstored from Debian', async (folder) => {
    await unpackPackages(folder, 'xenstored', PACKAGES);
  });
  await provide(native, "compiling xenstored's stand-ins for Xen", async (folder) => {
    const flags = ['-O2', '-Wall', '-I', join(root, 'usr/include'), '-o'];
    await run('gcc', [...flags, join(folder, 'shim.so'), '-shared', '-fPIC', shimSource, '-ldl']);
    await run('gcc', [...flags, join(folder, 'xsbridge'), bridgeSource]);
  });
  const [libraries = ''] = await libraryFolders(root);
  return {
    root,
    libraries,
    programs: join(root, 'usr/bin'),
    python: join(root, 'usr/lib/python3/dist-packages'),
    xenstored: join(root, 'usr/lib/xen-4.17/bin/xenstored'),
    oxenstored: join(root, 'usr/lib/xen-4.17/bin/oxenstored'),
    oxenstoredConfig: join(root, 'etc/xen/oxenstored.conf'),
    shim: join(native, 'shim.so'),
    bridge: join(native, 'xsbridge'),
  };
}
