// Installs the packages of out/ in fresh systems, Debian's and Ubuntu's, uses them and removes them again, as root:
// `npm run test:systems`, or `npm run test:systems -- debian-13 debian-13/arm64` for some of them.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root, version } from './bundle.js';
import { ARCHITECTURES } from './package/architectures.js';
import { fail, fetchPrograms } from './package/tools.js';
import { tryWithoutGlibc } from './systems/musl.js';
import { inNamespaces, provideRoot, SYSTEMS } from './systems/roots.js';

const out = join(root, 'out');
const trials = Object.entries(SYSTEMS).flatMap(([name, { architectures }]) =>
  architectures.map((architecture) => ({ name, architecture, title: `${name}/${architecture}` })),
);
const asked = process.argv.slice(2);
const chosen = trials.filter(
  ({ name, title }) => asked.length === 0 || asked.includes(title) || asked.includes(name),
);
const musl = 'musl/amd64';
const isMuslAsked = asked.length === 0 || asked.includes('musl') || asked.includes(musl);
if (chosen.length === 0 && !isMuslAsked)
  fail(`the systems are ${[...trials.map(({ title }) => title), musl].join(', ')}`);
if (process.getuid() !== 0) fail('only root can install in other systems');
if (!existsSync(join(out, 'SHA256SUMS'))) fail('there are no packages: run "npm run package"');

/** In a copy of the root file system, in memory: not an overlay, on which dpkg cannot rename folders in a user namespace. */
const TRIAL = `
mount -t tmpfs none /mnt
tar -C "$1" --one-file-system --exclude './dev/*' -cf - . | tar -C /mnt -xpf -
mount -t proc proc /mnt/proc
mount --rbind /dev /mnt/dev
mkdir /mnt/pkg
mount --bind "$2" /mnt/pkg
cp "$3" /mnt/trial.sh
exec chroot /mnt env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin sh /trial.sh "$4" "$5"`;

const programs = await fetchPrograms();
const rows = [];
for (const { name, architecture, title } of chosen) {
  const { isNative, emulator } = ARCHITECTURES[architecture];
  const place = { isNative, emulator: isNative ? undefined : programs.path(emulator) };
  const folder = await provideRoot(name, architecture, place);
  console.log(`# ${title}`);
  const script = join(root, 'scripts/systems/trial.sh');
  const args = [folder, out, script, version, architecture];
  const { status, printed } = await inNamespaces(TRIAL, { args, emulator: place.emulator });
  const isTried = status === 0 && /^TRIED$/m.test(printed);
  if (!isTried) console.error(printed);
  rows.push({ title, isTried, system: /^SYSTEM: (.*)$/m.exec(printed)?.[1] ?? '?' });
}
if (isMuslAsked)
  rows.push({ title: musl, ...(await tryWithoutGlibc(join(out, `pvusb-${version}-linux-amd64.tar.gz`))) });

for (const { title, isTried, system } of rows)
  console.log(`${isTried ? 'ok  ' : 'FAIL'} ${title.padEnd(20)} ${system}`);
process.exit(rows.every(({ isTried }) => isTried) ? 0 : 1);
