// The Debian package: an installation, with what Debian's policy wants besides.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, version } from '../bundle.js';
import { formatChangelog, makeDeb, put, putCompressed } from './deb.js';
import { run } from './tools.js';
import { GLIBC } from './tree.js';

const ABOUT = `lend the USB devices of a Xen host to its guests
 Does what the USB commands of xl do, on the same xenstore and alongside a
 running libxl, and more: names devices by something that stays the same, shows
 what it is going to do, undoes what it could not finish, and repairs what
 others left half done.`;

/** Makes `file` of a tree; `seconds` is the time of everything in it. The folder is the package's own from then on. */
export function makeDebianPackage(file, { folder }, { name }, seconds) {
  const { DEBFULLNAME, DEBEMAIL } = process.env;
  const maintainer = DEBFULLNAME && DEBEMAIL ? `${DEBFULLNAME} <${DEBEMAIL}>` : lastCommit('%an <%ae>');
  const share = join(folder, 'usr/share');
  put(join(share, 'lintian/overrides/pvusb'), readFileSync(join(root, 'packaging/lintian-overrides')));
  const changes = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  putCompressed(
    join(share, 'doc/pvusb/changelog'),
    formatChangelog(changes, { name: 'pvusb', maintainer, seconds }),
  );
  const fields = {
    Package: 'pvusb',
    Version: version,
    Architecture: name,
    Maintainer: maintainer,
    Depends: `libc6 (>= ${GLIBC})`,
    Section: 'admin',
    Priority: 'optional',
    Description: ABOUT,
  };
  const scripts = Object.fromEntries(
    ['postinst', 'prerm', 'postrm'].map((name) => [name, readFileSync(join(root, 'packaging', name))]),
  );
  makeDeb(file, folder, fields, seconds, scripts);
}

function lastCommit(format) {
  return run('git', ['log', '-1', `--format=${format}`], { cwd: root }).trim();
}
