// Makes all packages, twice, and tests them: `npm run test:package`.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { root, version } from './bundle.js';
import { ARCHITECTURES } from './package/architectures.js';
import { fetchLibraries, fetchPrograms, run, tool } from './package/tools.js';
import { runTests, testNames } from './run-tests.js';
import { sourceSeconds } from './source-date.js';

const scratch = mkdtempSync(join(tmpdir(), 'pvusb-packages-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));

function step(what, command, args, { env = {}, cwd = root } = {}) {
  console.log(`# ${what}`);
  const { status, signal, error } = spawnSync(command, args, {
    cwd,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status === 0) return;
  console.error(`# ${what} failed${error ? `: ${error.message}` : signal ? ` (${signal})` : ''}`);
  process.exit(status ?? 1);
}

const node = (script, ...args) => [process.execPath, [join(root, script), ...args]];
const made = (name) => join(root, 'out', name);

step('the packages', ...node('scripts/package.js'));
const sums = readFileSync(made('SHA256SUMS'), 'utf8');

// In another folder, without git, and without what the first build left.
const other = join(scratch, 'elsewhere');
const isMade = (path) => /^(\.git|build|dist|out)$|(^|\/)node_modules$/.test(relative(root, path));
cpSync(root, other, { recursive: true, filter: (path) => path === root || !isMade(path) });
for (const modules of ['node_modules', 'packaging/node_modules']) {
  run('cp', ['-al', join(root, modules), join(other, modules)]);
}
const commit = (format) => run('git', ['log', '-1', `--format=${format}`], { cwd: root }).trim();
const env = { SOURCE_DATE_EPOCH: `${sourceSeconds()}`, DEBFULLNAME: commit('%an'), DEBEMAIL: commit('%ae') };
step('the packages once more, in another folder', process.execPath, ['scripts/package.js'], {
  cwd: other,
  env,
});
const again = readFileSync(join(other, 'out/SHA256SUMS'), 'utf8');
if (again !== sums) {
  console.error(`# the same sources made different packages:\n${sums}# and\n${again}`);
  process.exit(1);
}
rmSync(other, { recursive: true });

const tarball = made(`pvusb-${version}.tgz`);
step('publint', tool('publint'), ['--strict', tarball]);
step('are the types wrong?', tool('attw'), [
  tarball,
  '--profile',
  'esm-only',
  '--format',
  'ascii',
  '--no-emoji',
]);

step('docs/api.md and docs/api/ are up to date?', ...node('scripts/docs.js', '--check'));

step('compile the tests', ...node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'));
for (const name of Object.keys(ARCHITECTURES)) {
  step(`unpack ${name}`, 'dpkg-deb', ['-x', made(`pvusb_${version}_${name}.deb`), join(scratch, name)]);
}
// Those that start the program as others do, and the packages' own.
const tests = testNames().filter((name) => /^(package\/|cli\/(process|completion-shells))/.test(name));
const programs = await fetchPrograms();
Object.assign(process.env, {
  PVUSB_PACKAGES: made(''),
  PVUSB_UNPACKED: scratch,
  PVUSB_PROGRAM: join(scratch, 'amd64/usr/bin/pvusb'),
  PVUSB_EMULATOR: programs.path(ARCHITECTURES.arm64.emulator),
  PVUSB_EMULATED: (await fetchLibraries('arm64')).root,
});
console.log(`# ${tests.length} files of tests`);
process.exit((await runTests(tests, 2)) ? 0 : 1);
