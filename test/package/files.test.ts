/** What the Debian packages contain. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { run } from '../support/packages.js';
import { projectRoot } from '../xenstored/fetch.js';
import { ARCHITECTURES, assertLinks, packaged, toolOrSkip, version } from './installed.js';

const lintian = await toolOrSkip(['lintian'], 'lintian');

/** The parts of glibc, which every Debian has. */
const LIBC = /^(linux-vdso|libc|libm|libdl|libpthread|librt)\.so\.\d+$|^(\/lib64\/)?ld-linux-x86-64\.so\.2$/;

const FILES = [
  '/etc/pvusb/',
  '/usr/bin/pvusb',
  '/usr/lib/pvusb/koffi.node',
  '/usr/lib/pvusb/libgcc_s.so.1',
  '/usr/lib/pvusb/libstdc++.so.6',
  '/usr/lib/pvusb/pvusb',
  '/usr/lib/systemd/system/pvusb-api.socket',
  '/usr/lib/systemd/system/pvusb-backend.service',
  '/usr/lib/systemd/system/pvusb-command.socket',
  '/usr/lib/systemd/system/pvusb.service',
  '/usr/lib/tmpfiles.d/pvusb.conf',
  '/usr/share/bash-completion/completions/pvusb',
  '/usr/share/doc/pvusb/changelog.gz',
  '/usr/share/doc/pvusb/copyright',
  '/usr/share/doc/pvusb/gcc-12-copyright.gz',
  '/usr/share/doc/pvusb/nodejs-licences.gz',
  '/usr/share/doc/pvusb/third-party-licences.gz',
  '/usr/share/fish/vendor_completions.d/pvusb.fish',
  '/usr/share/lintian/overrides/pvusb',
  '/usr/share/man/man1/pvusb.1.gz',
  '/usr/share/man/man5/pvusb-rules.5.gz',
  '/usr/share/man/man8/pvusb-serve.8.gz',
  ...['app.css', 'app.js', 'icon.svg', 'index.html'].map((name) => `/usr/share/pvusb/web/${name}`),
  '/usr/share/zsh/vendor-completions/_pvusb',
];

/** The documents, in the folders that they link to each other in. */
const DOCUMENTS = [
  'README.md',
  'ARCHITECTURE.md',
  'lab/README.md',
  ...below('docs'),
  ...below('examples'),
].map((path) => `/usr/share/doc/pvusb/${path}`);

function below(folder: string): string[] {
  return readdirSync(join(projectRoot(), folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(projectRoot(), join(entry.parentPath, entry.name)));
}

for (const architecture of ARCHITECTURES)
  describe(`the Debian package for ${architecture}`, () => {
    const { deb, root, program, full } = packaged(architecture);

    it('needs the C library of Debian 12, and no other package', async () => {
      const field = async (name: string): Promise<string> =>
        (await run('dpkg-deb', ['-f', deb, name])).trim();
      assert.equal(await field('Package'), 'pvusb');
      assert.equal(await field('Version'), version);
      assert.equal(await field('Architecture'), architecture);
      assert.equal(await field('Depends'), 'libc6 (>= 2.36)');
      for (const name of ['Pre-Depends', 'Recommends', 'Suggests']) assert.equal(await field(name), '');
    });

    it("has these files, which are root's and have the same time", async () => {
      const lines = (await run('dpkg-deb', ['-c', deb])).trim().split('\n');
      const entries = lines.map((line) => /^(\S+) (\S+) +\d+ (\S+ \S+) \.(.*)$/.exec(line)!.slice(1));
      const paths = entries.map(([, , , path]) => path!);
      const leaves = paths.filter(
        (path) => !paths.some((other) => other.startsWith(path) && other.length > path.length),
      );
      assert.deepEqual(leaves.sort(), [...FILES, ...DOCUMENTS].sort());
      for (const [mode, owner, , path] of entries) {
        const wanted = path!.endsWith('/')
          ? 'drwxr-xr-x'
          : path === '/usr/bin/pvusb' || path === '/usr/lib/pvusb/pvusb'
            ? '-rwxr-xr-x'
            : '-rw-r--r--';
        assert.deepEqual([path, mode, owner], [path, wanted, 'root/root']);
      }
      assert.equal(new Set(entries.map(([, , time]) => time)).size, 1);
    });

    // Only the machine's own loader says what it finds; the others are run.
    const loaded = architecture === 'amd64' ? ['usr/lib/pvusb/pvusb', 'usr/lib/pvusb/koffi.node'] : [];
    for (const name of loaded) {
      it(`has what ${basename(name)} needs besides the C library`, async () => {
        // A process has koffi's libraries already, those of the program.
        const folder = join(root, 'usr/lib/pvusb');
        const env = name === 'usr/lib/pvusb/pvusb' ? [] : [`LD_LIBRARY_PATH=${folder}`];
        const lines = (await run('env', [...env, 'ldd', join(root, name)])).trim().split('\n');
        const foreign = lines.map((line) =>
          line
            .trim()
            .replace(/ \(0x[0-9a-f]+\)$/, '')
            .split(' => '),
        );
        assert.ok(foreign.length > 4);
        for (const [library, path] of foreign) {
          if (LIBC.test(library!)) continue;
          assert.equal(realpathSync(path ?? ''), join(realpathSync(folder), library!));
        }
      });
    }

    it('says nothing about the machine that it was made on', () => {
      for (const executable of [program, full])
        assert.ok(!readFileSync(executable).includes(projectRoot()), executable);
    });

    it('says under which licences everything in it may be used', () => {
      const copyright = readFileSync(join(root, 'usr/share/doc/pvusb/copyright'), 'utf8');
      const named = [...copyright.matchAll(/^License: (.*)$/gm)].flatMap(([, names]) =>
        names!.split(' and '),
      );
      const told = [...copyright.matchAll(/^License: (.*)\n [A-Z]/gm)].map(([, name]) => name!);
      assert.deepEqual([...new Set(named)].sort(), [...told].sort());
      assert.doesNotMatch(copyright, /[{}]|undefined/);
      for (const part of ['Node.js v24.', 'commander 1', 'zod 4', 'koffi 3', 'gcc-12']) {
        assert.ok(copyright.includes(part), part);
      }
      const notices = gunzipSync(
        readFileSync(join(root, 'usr/share/doc/pvusb/third-party-licences.gz')),
      ).toString();
      // koffi's binary has code of others inside.
      for (const folder of ['commander', 'zod', 'koffi', 'koffi/vendor/node-addon-api']) {
        const [licence] = readdirSync(join(projectRoot(), 'node_modules', folder)).filter((name) =>
          /^licen[cs]e/i.test(name),
        );
        const text = readFileSync(join(projectRoot(), 'node_modules', folder, licence!), 'utf8');
        assert.ok(notices.includes(text.trim()), folder);
      }
    });

    it('has documents whose links lead to what is there', () => {
      assertLinks(join(root, 'usr/share/doc/pvusb'));
    });

    it('has no fault that lintian knows', { skip: lintian.skip }, async () => {
      const found = await run(lintian.tool, ['--fail-on', 'error,warning', '--allow-root', deb]);
      assert.equal(found, '');
    });
  });
