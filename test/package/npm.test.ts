/** npm's package, installed with what it says that it needs and nothing else. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Program } from '../cli/program.js';
import { run } from '../support/packages.js';
import { projectRoot } from '../xenstored/fetch.js';
import { assertLinks, tarball } from './installed.js';

/** What package.json says, as far as these tests look into it. */
interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, unknown>>;
}

describe("npm's package", () => {
  const modules = join(mkdtempSync(join(tmpdir(), 'pvusb-npm-')), 'node_modules');
  const folder = join(modules, 'pvusb');
  let manifest: Manifest;
  before(async () => {
    mkdirSync(folder, { recursive: true });
    await run('tar', ['-xzf', tarball(), '-C', folder, '--strip-components=1']);
    manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    for (const name of Object.keys(manifest.dependencies)) {
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(join(projectRoot(), 'node_modules', name), join(modules, name));
    }
  });
  after(() => rmSync(dirname(modules), { recursive: true }));

  const node = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await new Program(process.execPath, args).ended();
    assert.deepEqual([args, status, stderr], [args, 0, '']);
    return stdout;
  };

  it('needs two packages only', () => {
    assert.deepEqual(Object.keys(manifest.dependencies).sort(), ['koffi', 'zod']);
  });

  it('has a program that runs with them', async () => {
    const program = join(folder, 'dist/cli/main.cjs');
    assert.match(await node(program, '--help'), /^Usage: pvusb/);
    assert.match(await node(program, 'completion', 'bash'), /complete -F _pvusb pvusb/);
    const { status, stdout } = await new Program(process.execPath, [program, 'demo', '--tour']).ended();
    assert.deepEqual([status, /That was the demo/.test(stdout)], [0, true], stdout);
  });

  it('has entries that can be imported with them', async () => {
    const entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith('.json'));
    assert.ok(entries.length > 4);
    for (const entry of entries) {
      const name = join('pvusb', entry);
      const source = `import * as all from '${name}'; console.log(Object.keys(all).length > 0)`;
      const { status, stdout, stderr } = await new Program('sh', [
        '-c',
        `cd "${dirname(modules)}" && exec "${process.execPath}" --input-type=module -e "${source}"`,
      ]).ended();
      assert.deepEqual([entry, status, stdout, stderr], [entry, 0, 'true\n', '']);
    }
  });

  it('has the licences of what is bundled', () => {
    const notices = readFileSync(join(folder, 'dist/cli/THIRD-PARTY-LICENCES.txt'), 'utf8');
    for (const name of ['commander', 'zod']) assert.match(notices, new RegExp(`^${name} \\d`, 'm'));
  });

  it('has documents whose links lead to what is there', () => assertLinks(folder));
});
