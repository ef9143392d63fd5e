// Makes in out/ what is published: for each processor a Debian package, an archive for every other system, and an SBOM;
// npm's package; and their checksums: `npm run package`. `npm run package -- arm64` makes what is for one processor.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, version } from './bundle.js';
import { ARCHITECTURES } from './package/architectures.js';
import { makeArchive } from './package/archive.js';
import { makeDebianPackage } from './package/debian.js';
import { makeSbom } from './package/sbom.js';
import { fail, fetchPrograms, installPackaging, run } from './package/tools.js';
import { makeTree } from './package/tree.js';
import { sourceSeconds } from './source-date.js';

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !Object.hasOwn(ARCHITECTURES, name));
if (unknown) fail(`there is no package for ${unknown}, only for ${Object.keys(ARCHITECTURES).join(' and ')}`);

const out = join(root, 'out');
mkdirSync(out, { recursive: true });
run(process.execPath, [join(root, 'scripts/build.js')], { stdio: 'inherit' });
installPackaging();
const programs = await fetchPrograms();
const seconds = sourceSeconds();
const year = new Date(seconds * 1000).getUTCFullYear();

for (const architecture of Object.values(ARCHITECTURES)) {
  const { name } = architecture;
  if (asked.length > 0 && !asked.includes(name)) continue;
  const tree = await makeTree(architecture, programs, year);
  console.log(`# making the packages for ${name}`);
  const stem = join(out, `pvusb-${version}-linux-${name}`);
  makeSbom(`${stem}.cdx.json`, tree, architecture, seconds);
  makeArchive(`${stem}.tar.gz`, tree, architecture, seconds);
  makeDebianPackage(join(out, `pvusb_${version}_${name}.deb`), tree, architecture, seconds);
}
if (asked.length === 0) {
  console.log("# making npm's package");
  // The build has been done.
  run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', out], { cwd: root });
}

const sums = join(out, 'SHA256SUMS');
rmSync(sums, { force: true });
const made = readdirSync(out).filter((name) =>
  new RegExp(`^pvusb[-_]${version.replaceAll('.', '\\.')}[-_.]`).test(name),
);
const sum = (name) =>
  createHash('sha256')
    .update(readFileSync(join(out, name)))
    .digest('hex');
writeFileSync(
  sums,
  made
    .sort()
    .map((name) => `${sum(name)}  ${name}\n`)
    .join(''),
);
console.log(made.map((name) => `# out/${name}`).join('\n'));
console.log('# out/SHA256SUMS');
