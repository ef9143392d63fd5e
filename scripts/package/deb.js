// A Debian package from a folder: the same bytes whenever it is made from the same files.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { run } from './tools.js';

/** Writes a file that everyone may read: text, or bytes. */
export function put(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, 0o644);
}

/** Writes a file as `gzip -9n` would: without name and time. */
export function putCompressed(path, content) {
  put(`${path}.gz`, gzipSync(content, { level: 9 }));
}

/** Makes `file` from the folder, with these fields and maintainer scripts; `seconds` is the time of everything in it. */
export function makeDeb(file, folder, fields, seconds, scripts = {}) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
  const files = paths.filter((path) => lstatSync(join(folder, path)).isFile());
  const sums = files.map((path) => `${md5(readFileSync(join(folder, path)))}  ${path}\n`);
  // In units of 1024 bytes; a folder counts as one.
  const units = files.map((path) => Math.ceil(statSync(join(folder, path)).size / 1024));
  const size = units.reduce((sum, unit) => sum + unit, paths.length - files.length);
  const control = Object.entries({ ...fields, 'Installed-Size': size });
  put(join(folder, 'DEBIAN/md5sums'), sums.join(''));
  put(join(folder, 'DEBIAN/control'), control.map(([field, value]) => `${field}: ${value}\n`).join(''));
  const made = Object.keys(scripts).map((name) => `DEBIAN/${name}`);
  for (const [name, text] of Object.entries(scripts)) put(join(folder, 'DEBIAN', name), text);
  for (const path of ['', 'DEBIAN', 'DEBIAN/md5sums', 'DEBIAN/control', ...made, ...paths]) {
    const full = join(folder, path);
    if (statSync(full).isDirectory() || made.includes(path)) chmodSync(full, 0o755);
    utimesSync(full, seconds, seconds);
  }
  mkdirSync(dirname(file), { recursive: true });
  // gzip: half as large again as with xz, but unpacked in a third of the time. zstd is not in Debian's policy.
  run('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z9', '--build', folder, file], {
    env: { ...process.env, SOURCE_DATE_EPOCH: `${seconds}` },
  });
}

/** CHANGELOG.md in Debian's form: an entry for each version. */
export function formatChangelog(markdown, { name, maintainer, seconds }) {
  const date = new Date(seconds * 1000).toUTCString().replace('GMT', '+0000');
  const entries = markdown.split(/^## /m).slice(1);
  return entries
    .map((entry) => {
      const [title, ...lines] = entry.split('\n');
      const points = lines.join('\n').trim().split(/^- /m).slice(1);
      const text = points.map((point) => wrapped(point.replace(/\s+/g, ' ').trim()));
      const [version] = title.split(' ');
      return `${name} (${version}) unstable; urgency=medium\n\n${text.join('')}\n -- ${maintainer}  ${date}\n`;
    })
    .join('\n');
}

/** An item in Debian's form, in lines of at most 80 characters. */
function wrapped(text) {
  const lines = text.match(/.{1,75}(?: |$)|\S+/g);
  return lines.map((line, at) => `${at === 0 ? '  * ' : '    '}${line.trimEnd()}\n`).join('');
}

function md5(bytes) {
  return createHash('md5').update(bytes).digest('hex');
}
