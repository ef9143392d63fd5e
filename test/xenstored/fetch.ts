/**
 * Debian's real xenstored daemons for tests: downloaded and unpacked into a cache folder, never installed.
 *
 * The daemons need a hypervisor; `native/shim.c` stands in for the few calls that they make to it, and
 * `native/xsbridge.c` plays a guest. Both are compiled with the machine's gcc for the C library of the suite.
 */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SUITES, type Suite } from '../../lab/debian/suites.js';
import { orSkip } from '../support/needs.js';
import { cacheFolder, key, provide, run } from '../support/packages.js';
import { inSuite, type SuiteRoot, USUAL_SUITE, unpackSuite } from '../support/suites.js';

/** Where the pieces of an unpacked kit are. */
export interface Kit extends SuiteRoot {
  /** The release of Xen. */
  readonly xen: XenVersion;
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

/** A release of Xen that there is a kit of. */
export type XenVersion = (typeof SUITES)[Suite]['xen'];

/** What `fetchKit` runs. */
const TO_INSTALL = "gcc, apt and dpkg, with Debian's archive in reach";

const fetching = new Map<Suite, Promise<Kit>>();

/**
 * The kit of a suite, fetched and compiled when the cache has none. Several processes may call it at once: each builds
 * in a folder of its own, and the first to rename it into place wins.
 *
 * @throws {Error} saying why it is not available
 */
export function fetchXenstored(suite: Suite = USUAL_SUITE): Promise<Kit> {
  const kit = fetching.get(suite) ?? fetchKit(suite);
  fetching.set(suite, kit);
  return kit;
}

/** The kit, or why the tests that need it are skipped; with `CI=true` a missing kit is an error. */
export async function kitOrSkip(
  suite: Suite = USUAL_SUITE,
): Promise<{ readonly kit: Kit | undefined; readonly skip: string | false }> {
  const tests = `pvusb on the real xenstored of Xen ${SUITES[suite].xen} (Debian ${suite})`;
  const { found: kit, skip } = await orSkip(tests, TO_INSTALL, () => fetchXenstored(suite));
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

async function fetchKit(suite: Suite): Promise<Kit> {
  const { xen } = SUITES[suite];
  const place = await unpackSuite(suite, {
    name: 'xen',
    packages: [`xen-utils-${xen}`, 'xenstore-utils', 'libxen-dev', 'libc6-dev', 'python3-pyxs'],
    pinned: { package: 'xen-utils-common', version: xen },
  });
  const { root } = place;
  const sources = join(projectRoot(), 'test', 'xenstored', 'native');
  const inSources = (name: string): string => join(sources, name);
  const [bridge, shim] = [inSources('xsbridge.c'), ['shim.c', 'paths.c'].map(inSources)];
  const texts = [bridge, ...shim, inSources('shim.h')].map((file) => readFile(file, 'utf8'));
  const made = key(root, ...(await Promise.all(texts)));
  const native = join(cacheFolder(), `native-${made}`);
  await provide(native, `compiling the stand-ins for Xen ${xen}`, async (folder) => {
    const flags = [...compilerFlags(place), `-DXEN=${xen.replace('.', '')}`, '-o'];
    await run('gcc', [...flags, join(folder, 'shim.so'), '-shared', '-fPIC', ...shim, '-ldl']);
    await run('gcc', [...flags, join(folder, 'xsbridge'), '-static', bridge]);
  });
  const programs = join(root, 'usr/lib', `xen-${xen}`, 'bin');
  return {
    ...place,
    xen,
    python: join(root, 'usr/lib/python3/dist-packages'),
    xenstored: join(programs, 'xenstored'),
    oxenstored: join(programs, 'oxenstored'),
    oxenstoredConfig: join(root, 'etc/xen/oxenstored.conf'),
    shim: join(native, 'shim.so'),
    bridge: join(native, 'xsbridge'),
  };
}

/** The command of one of Debian's own xenstore programs: `xenstore-ls` and the like. */
export function toolCommand(kit: Kit, name: string, args: readonly string[]): [string, string[]] {
  return inSuite(kit, join(kit.root, 'usr/bin', name), args);
}

/** gcc's flags for programs of a suite: its C library and headers, whatever the machine's are. */
export function compilerFlags({ root, libraries }: SuiteRoot): string[] {
  // gcc would look beside itself first.
  const place = [`--sysroot=${root}`, '-B', libraries, '-L', libraries];
  return ['-O2', '-Wall', ...place];
}
