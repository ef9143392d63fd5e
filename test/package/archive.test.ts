/** The archive for systems without dpkg, and what is published beside the packages. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Program } from '../cli/program.js';
import type { Run } from '../cli/stage.js';
import { run } from '../support/packages.js';
import { projectRoot } from '../xenstored/fetch.js';
import { ARCHITECTURES, assertLinks, packaged, published, version } from './installed.js';

const below = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

describe('the archive', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pvusb-archive-'));
  const unpacked = (architecture: string): string => join(folder, `pvusb-${version}-linux-${architecture}`);
  before(async () => {
    for (const name of ARCHITECTURES) await run('tar', ['-xzf', packaged(name).archive, '-C', folder]);
  });
  after(() => rmSync(folder, { recursive: true }));

  const install = (...args: readonly string[]): Promise<Run> =>
    new Program('sh', [join(unpacked('amd64'), 'install.sh'), ...args], { DESTDIR: folder }).ended();

  it('runs where it is unpacked', async () => {
    assert.equal(await run(join(unpacked('amd64'), 'bin/pvusb'), ['--version']), `${version}\n`);
  });

  it('has documents whose links lead to what is there, and the licences that they name', () => {
    const documents = join(unpacked('amd64'), 'share/doc/pvusb');
    assertLinks(documents);
    for (const name of ['GPL-3', 'LGPL-2.1']) {
      assert.match(readFileSync(join(documents, name), 'utf8'), /GENERAL PUBLIC LICENSE/);
    }
  });

  it('is installed, again over itself, and removed without a trace but the folder of rules', async () => {
    const target = join(folder, 'opt');
    mkdirSync(join(target, 'bin'), { recursive: true });
    writeFileSync(join(target, 'bin/other'), '');
    const empty = below(target);
    const { status, stderr, stdout } = await install('--prefix', '/opt');
    assert.deepEqual([status, stderr], [0, '']);
    assert.equal(stdout, `pvusb ${version} is installed: ${target}/bin/pvusb\n`);
    const files = below(target);
    assert.equal(await run(join(target, 'bin/pvusb'), ['--version']), `${version}\n`);
    assert.equal((await install('--prefix=/opt')).status, 0);
    assert.deepEqual(below(target), files);
    assert.equal((await install('--prefix', '/opt', '--uninstall')).status, 0);
    assert.deepEqual(below(target), empty);
    assert.deepEqual(below(join(folder, 'etc')), ['pvusb']);
  });

  it('says what is wrong, and changes nothing', async () => {
    const refused = async (status: number, says: RegExp, ...args: readonly string[]): Promise<void> => {
      const ended = await install(...args);
      assert.equal(ended.status, status);
      assert.match(ended.stderr, says);
    };
    await refused(2, /^Usage: /, '--no-such-option');
    await refused(1, /takes an absolute folder\.$/m, '--prefix', 'opt');
    await refused(
      1,
      /was not installed in .*\/nowhere by this script\.$/m,
      '--prefix',
      '/nowhere',
      '--uninstall',
    );
    const arm = await new Program('sh', [join(unpacked('arm64'), 'install.sh')], { DESTDIR: folder }).ended();
    assert.equal(arm.status, 1);
    assert.match(arm.stderr, /this is the archive for aarch64, and the machine is x86_64\.$/m);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name === 'usr' || name === 'nowhere'),
      [],
    );
  });
});

/** A bill of materials, as far as these tests look into it. */
interface Bom {
  readonly components: readonly { readonly name: string; readonly version: string }[];
}

describe('the bill of materials', () => {
  const require = createRequire(join(projectRoot(), 'packaging/package.json'));
  const { Validation, Spec } = require('@cyclonedx/cyclonedx-library') as {
    readonly Validation: {
      readonly JsonStrictValidator: new (version: string) => { validate(text: string): Promise<unknown> };
    };
    readonly Spec: { readonly Version: Readonly<Record<'v1dot6', string>> };
  };
  for (const architecture of ARCHITECTURES) {
    const text = readFileSync(packaged(architecture).sbom, 'utf8');

    it(`is in CycloneDX's form: ${architecture}`, async () => {
      assert.equal(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text), null);
    });

    it(`names what the copyright file names, and this program: ${architecture}`, () => {
      const { components } = JSON.parse(text) as Bom;
      const { root, full } = packaged(architecture);
      const copyright = readFileSync(join(root, 'usr/share/doc/pvusb/copyright'), 'utf8');
      const page = ['@preact/signals', '@preact/signals-core', 'preact'];
      const inside = [...page, 'commander', 'koffi', 'libgcc-s1', 'libstdc++6', 'node', 'zod'].sort();
      assert.deepEqual(components.map(({ name }) => name).sort(), inside);
      for (const { version: of } of components) assert.ok(copyright.includes(of), of);
      const sum = createHash('sha256').update(readFileSync(full)).digest('hex');
      assert.ok(text.includes(sum));
    });
  }
});

describe('the checksums', () => {
  it('are those of everything that is published', async () => {
    const folder = published();
    const listed = readFileSync(join(folder, 'SHA256SUMS'), 'utf8');
    const names = [...listed.matchAll(/^[0-9a-f]{64} {2}(.*)$/gm)].map(([, name]) => name!);
    assert.equal(names.length, 3 * ARCHITECTURES.length + 1);
    await run('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], folder);
  });
});
