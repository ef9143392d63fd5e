// The archive for systems without dpkg: an installation that can be unpacked anywhere, and a script that installs it.
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { root, version } from '../bundle.js';
import { put } from './deb.js';
import { fail, run, workshop } from './tools.js';
import { GLIBC } from './tree.js';

/** Where zsh looks on other systems. */
const MOVED = [['share/zsh/vendor-completions', 'share/zsh/site-functions']];

/** Licences that every Debian has, which its packages therefore only name. */
const LICENCES = ['GPL-3', 'LGPL-2.1'];

/** Makes `file` of a tree; `seconds` is the time of everything in it. */
export function makeArchive(file, { folder, licences }, { machine }, seconds) {
  const name = basename(file, '.tar.gz');
  const stage = join(workshop, 'archive', name);
  rmSync(dirname(stage), { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  cpSync(join(folder, 'usr'), stage, { recursive: true });
  for (const [from, to] of MOVED) {
    cpSync(join(stage, from), join(stage, to), { recursive: true });
    rmSync(join(stage, from), { recursive: true });
  }
  for (const licence of LICENCES) {
    put(join(stage, 'share/doc/pvusb', licence), readFileSync(join(licences, licence)));
  }
  const script = readFileSync(join(root, 'packaging', 'install.sh.in'), 'utf8');
  const values = { version, machine, glibc: GLIBC };
  const filled = script.replace(
    /\{(\w+)\}/g,
    (_, key) => values[key] ?? fail(`install.sh.in asks for ${key}`),
  );
  writeFileSync(join(stage, 'install.sh'), filled);
  chmodSync(join(stage, 'install.sh'), 0o755);
  const settings = ['--sort=name', '--format=gnu', '--owner=0', '--group=0', '--numeric-owner'];
  const same = [...settings, '--mode=u=rwX,go=rX', `--mtime=@${seconds}`];
  const tar = run('tar', [...same, '-C', dirname(stage), '-cf', '-', name], { encoding: 'buffer' });
  writeFileSync(file, gzipSync(tar, { level: 9 }));
}
