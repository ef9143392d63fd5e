/** Where the packages of Debian and Ubuntu come from on this machine. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LabError } from '../base/error.js';
import { run } from '../base/process.js';

/** An archive of packages. */
type Archive = 'Debian' | 'Ubuntu';

/** What names a mirror where apt has none of that archive. */
const VARIABLES = { Debian: 'DEBIAN_MIRROR', Ubuntu: 'UBUNTU_MIRROR' } as const;

/**
 * Mirrors of an archive, the likeliest first: the one that `DEBIAN_MIRROR` or `UBUNTU_MIRROR` names; otherwise those that
 * this machine's own packages come from, and for Debian also what would be next to Ubuntu on the same mirror.
 *
 * @throws {LabError} when apt knows none
 */
export async function findMirrors(archive: Archive): Promise<Set<string>> {
  const variable = VARIABLES[archive];
  const named = process.env[variable];
  if (named) return new Set([named]);
  const { Debian, Ubuntu } = await configuredMirrors();
  const siblings = Ubuntu.map((uri) => uri.replace(/\/ubuntu\/?$/, '/debian'));
  const found = archive === 'Debian' ? [...Debian, ...siblings] : Ubuntu;
  if (found.length === 0)
    throw new LabError(`apt knows no mirror of ${archive} here: name one in ${variable}`);
  return new Set(found);
}

/** apt's options for lists and packages in a folder of ours, which is made ready for them. */
export async function ownLists(scratch: string): Promise<string[]> {
  for (const part of ['lists/partial', 'cache/archives/partial']) {
    await mkdir(join(scratch, part), { recursive: true });
  }
  return [
    // The user _apt may not enter a private folder.
    ...['-o', 'APT::Sandbox::User=root'],
    ...['-o', `Dir::State::lists=${join(scratch, 'lists')}`, '-o', `Dir::Cache=${join(scratch, 'cache')}`],
  ];
}

/** The mirrors that apt is configured for. It knows whose they are only when it has its lists. */
async function configuredMirrors(): Promise<Record<Archive, string[]>> {
  const known = await ask([]);
  if (known.Debian.length + known.Ubuntu.length > 0) return known;
  const scratch = await mkdtemp(join(tmpdir(), 'pvusb-apt-'));
  try {
    const options = await ownLists(scratch);
    await run('apt-get', [...options, 'update', '-qq']).catch(() => '');
    return await ask(options);
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function ask(options: readonly string[]): Promise<Record<Archive, string[]>> {
  const of = async (archive: Archive): Promise<string[]> => {
    const filter = ['--format', '$(REPO_URI)', `Origin: ${archive}`, `Label: ${archive}`];
    return (await run('apt-get', [...options, 'indextargets', ...filter]))
      .split('\n')
      .filter((uri) => uri !== '');
  };
  return { Debian: await of('Debian'), Ubuntu: await of('Ubuntu') };
}
