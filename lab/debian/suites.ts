/** Debian's suites: which the lab and the tests know, and apt for one of them, whatever the machine itself runs. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from '../base/error.js';
import { run } from '../base/process.js';
import { findMirrors, ownLists } from './mirrors.js';

/** Debian's suites, and the versions that are known of each. A suite that moves on is an error, not a surprise. */
export const SUITES = {
  bookworm: { xen: '4.17', qemu: '7.2' },
  trixie: { xen: '4.20', qemu: '10.0' },
  sid: { xen: '4.20', qemu: '11.1' },
} as const;

/** The name of a suite. */
export type Suite = keyof typeof SUITES;

/** Whether a suite has this name. */
export function isSuite(name: string): name is Suite {
  return Object.hasOwn(SUITES, name);
}

/**
 * apt's options for a suite and nothing else, on a machine with nothing installed, with its lists fetched into
 * `scratch`. `architecture` is Debian's name for a processor; the machine's own unless given.
 *
 * @throws {LabError} when no mirror has the suite
 */
export async function suiteOptions(scratch: string, suite: Suite, architecture?: string): Promise<string[]> {
  const faults = new Set<string>();
  const sources = join(scratch, 'sources.list');
  const keyring = await debianKeys(scratch);
  const options = [
    ...(await ownLists(scratch)),
    ...Object.entries({
      'APT::Install-Recommends': 'false',
      'Dir::Etc::SourceList': sources,
      'Dir::Etc::SourceParts': '-',
      'Dir::Etc::Preferences': '-',
      'Dir::Etc::PreferencesParts': '-',
      // What the machine has installed is of no interest.
      'Dir::State::status': '/dev/null',
      ...(architecture === undefined
        ? {}
        : { 'APT::Architecture': architecture, 'APT::Architectures::': architecture }),
    }).flatMap(([option, value]) => ['-o', `${option}=${value}`]),
  ];
  for (const mirror of await findMirrors('Debian')) {
    const lines = [`deb [signed-by=${keyring}] ${mirror} ${suite} main`];
    // A mirror has both, in folders beside each other.
    if (suite !== 'sid') lines.push(`deb [signed-by=${keyring}] ${beside(mirror)} ${suite}-security main`);
    await writeFile(sources, `${lines.join('\n')}\n`);
    try {
      await run('apt-get', [...options, 'update', '-qq', '--error-on=any']);
      return options;
    } catch (error) {
      faults.add(/^\s*(E: .*)/m.exec(String(error))?.[1] ?? String(error));
    }
  }
  throw new LabError(
    `Debian ${suite} can't be reached (DEBIAN_MIRROR may name a mirror): ${[...faults].join('; ')}`,
  );
}

/** Every Debian since 12 has these folders below /usr; before 13 some packages do not know. */
export async function mergeFolders(root: string): Promise<void> {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    await mkdir(join(root, 'usr', name), { recursive: true });
    await symlink(join('usr', name), join(root, name));
  }
}

/** Where a mirror of `.../debian` has what fixes security. */
function beside(mirror: string): string {
  return mirror.replace(/\/?$/, '-security');
}

const KEYRING = 'usr/share/keyrings/debian-archive-keyring.gpg';

/** Debian's keys. Ubuntu does not install them, but has them as a package, which its own keys vouch for. */
async function debianKeys(scratch: string): Promise<string> {
  const installed = join('/', KEYRING);
  if (existsSync(installed)) return installed;
  const asRoot = ['-o', 'APT::Sandbox::User=root'];
  await run('apt-get', [...asRoot, 'download', '-qq', 'debian-archive-keyring'], { cwd: scratch });
  const [deb = ''] = (await readdir(scratch)).filter((file) => file.endsWith('.deb'));
  await run('dpkg-deb', ['-x', join(scratch, deb), join(scratch, 'keys')]);
  return join(scratch, 'keys', KEYRING);
}
