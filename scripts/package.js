// Makes out/pvusb_<version>_amd64.deb, which needs nothing on a host but its C library: `npm run package`.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root, version } from './bundle.js';
import { formatCopyright } from './package/copyright.js';
import { formatChangelog, makeDeb, put, putCompressed } from './package/deb.js';
import { linkedDocuments } from './package/documents.js';
import { makeExecutable } from './package/executable.js';
import { makePieces } from './package/pieces.js';
import {
  fail,
  fetchLibraries,
  installPackaging,
  needsGlibc,
  run,
  runtime,
  workshop,
} from './package/tools.js';
import { sourceSeconds } from './source-date.js';
import { formatNotices } from './third-party.js';

/** Debian 12's C library: the minimum that a host must have. */
const GLIBC = '2.36';

const ABOUT = `lend the USB devices of a Xen host to its guests
 Does what the USB commands of xl do, on the same xenstore and alongside a
 running libxl, and more: names devices by something that stays the same, shows
 what it is going to do, undoes what it could not finish, and repairs what
 others left half done.`;

if (process.platform !== 'linux' || process.arch !== 'x64')
  fail('the package can only be made on Linux on x86-64');
run(process.execPath, [join(root, 'scripts/build.js')], { stdio: 'inherit' });
installPackaging();
const libraries = fetchLibraries();

console.log('# making the executable');
const folder = join(workshop, 'root');
rmSync(folder, { recursive: true, force: true });
const program = join(folder, 'usr/bin/pvusb');
// Beside it wherever it is unpacked; where it is installed also without /proc, which tells it where it is.
const { pieces, packages } = await makePieces();
makeExecutable(program, pieces, ['$ORIGIN/../lib/pvusb', '/usr/lib/pvusb']);
const koffi = join(root, 'node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node');
for (const file of [koffi, ...libraries.files]) {
  put(join(folder, 'usr/lib/pvusb', basename(file)), readFileSync(file));
}
const needed = needsGlibc([program, koffi, ...libraries.files]);
if (needed.localeCompare(GLIBC, 'en', { numeric: true }) > 0) {
  fail(`a package made here would need glibc ${needed}: make it on Debian 12, which has ${GLIBC}`);
}

console.log('# making the package');
const seconds = sourceSeconds();
const { DEBFULLNAME, DEBEMAIL } = process.env;
const maintainer = DEBFULLNAME && DEBEMAIL ? `${DEBFULLNAME} <${DEBEMAIL}>` : lastCommit('%an <%ae>');
const share = join(folder, 'usr/share');
const documents = join(share, 'doc/pvusb');
const completion = (shell) => run(program, ['completion', shell], { env: {} });
putCompressed(join(share, 'man/man1/pvusb.1'), readFileSync(join(root, 'dist/man/pvusb.1')));
put(join(share, 'bash-completion/completions/pvusb'), completion('bash'));
put(join(share, 'zsh/vendor-completions/_pvusb'), completion('zsh'));
put(join(share, 'fish/vendor_completions.d/pvusb.fish'), completion('fish'));
for (const name of readdirSync(join(root, 'dist/web')))
  put(join(share, 'pvusb/web', name), readFileSync(join(root, 'dist/web', name)));
put(join(share, 'lintian/overrides/pvusb'), readFileSync(join(root, 'packaging/lintian-overrides')));
const year = new Date(seconds * 1000).getUTCFullYear();
const node = run(join(runtime, 'bin/node'), ['--version']).trim();
put(join(documents, 'copyright'), formatCopyright({ year, node, libraries, packages }));
putCompressed(join(documents, 'third-party-licences'), formatNotices([...packages, 'node_modules/koffi']));
putCompressed(join(documents, 'nodejs-licences'), readFileSync(join(runtime, 'LICENSE')));
putCompressed(join(documents, `${libraries.source}-copyright`), readFileSync(libraries.copyright));
// As in the sources, so that links lead where they should.
for (const file of linkedDocuments()) put(join(documents, file), readFileSync(join(root, file)));
const changes = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
putCompressed(join(documents, 'changelog'), formatChangelog(changes, { name: 'pvusb', maintainer, seconds }));
mkdirSync(join(folder, 'etc/pvusb'), { recursive: true });

const deb = join(root, 'out', `pvusb_${version}_amd64.deb`);
const fields = {
  Package: 'pvusb',
  Version: version,
  Architecture: 'amd64',
  Maintainer: maintainer,
  Depends: `libc6 (>= ${GLIBC})`,
  Section: 'admin',
  Priority: 'optional',
  Description: ABOUT,
};
makeDeb(deb, folder, fields, seconds);
console.log(`# ${deb.slice(root.length + 1)}`);

function lastCommit(format) {
  return run('git', ['log', '-1', `--format=${format}`], { cwd: root }).trim();
}
