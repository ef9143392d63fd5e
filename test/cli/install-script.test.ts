/** The script that installs the archive, on a tree that is laid out as the archive is. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { machine, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readProjectFile } from '../architecture/sources.js';
import { Program } from './program.js';

const folder = mkdtempSync(join(tmpdir(), 'pvusb-install-'));
after(() => rmSync(folder, { recursive: true }));

/** Programs and other files: the launcher starts the full program, which is beside it. */
const FILES: Readonly<Record<string, { readonly text: string; readonly mode: number }>> = {
  'bin/pvusb': { text: '#!/bin/sh\nexec "$(dirname "$0")/../lib/pvusb/pvusb" "$@"\n', mode: 0o755 },
  'lib/pvusb/pvusb': { text: '#!/bin/sh\necho 1.2.3\n', mode: 0o755 },
  'lib/pvusb/koffi.node': { text: '', mode: 0o644 },
  'share/doc/pvusb/README.md': { text: '', mode: 0o644 },
};

describe('install.sh', () => {
  it('installs programs that can be started, and removes them', async () => {
    const values: Readonly<Record<string, string>> = { version: '1.2.3', machine: machine(), glibc: '2.36' };
    const script = readProjectFile('packaging/install.sh.in').replace(/\{(\w+)\}/g, (_, key) => values[key]!);
    const archive = join(folder, 'archive');
    for (const [path, { text, mode }] of Object.entries({
      ...FILES,
      'install.sh': { text: script, mode: 0o755 },
    })) {
      mkdirSync(dirname(join(archive, path)), { recursive: true });
      writeFileSync(join(archive, path), text);
      chmodSync(join(archive, path), mode);
    }
    const install = (...args: readonly string[]) =>
      new Program('sh', [join(archive, 'install.sh'), '--prefix', '/opt', ...args], {
        DESTDIR: folder,
      }).ended();
    const target = join(folder, 'opt');
    // Another installation's, as npm makes it.
    mkdirSync(join(target, 'bin'), { recursive: true });
    writeFileSync(join(folder, 'other'), 'kept');
    symlinkSync(join(folder, 'other'), join(target, 'bin/pvusb'));
    for (const what of ['installed', 'installed over itself']) {
      const { status, stderr, stdout } = await install();
      assert.deepEqual([status, stderr], [0, ''], what);
      assert.equal(stdout, `pvusb 1.2.3 is installed: ${target}/bin/pvusb\n`);
      for (const [path, { mode }] of Object.entries(FILES))
        assert.equal(statSync(join(target, path)).mode & 0o777, mode, path);
      const started = await new Program(join(target, 'bin/pvusb'), ['--version']).ended();
      assert.deepEqual([started.stdout, started.stderr], ['1.2.3\n', '']);
    }
    assert.equal(readFileSync(join(folder, 'other'), 'utf8'), 'kept');
    await install('--uninstall');
    assert.deepEqual(readdirSync(target), ['bin']);
  });
});
