// Makes the packages, the Debian and the npm one, and tests them: `npm run test:package`.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, version } from './bundle.js';
import { installPackaging, tool, workshop } from './package/tools.js';
import { runTests, testNames } from './run-tests.js';

let unpacked;

function step(what, command, args, env = {}) {
  console.log(`# ${what}`);
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status === 0) return;
  console.error(`# ${what} failed${error ? `: ${error.message}` : ''}`);
  if (unpacked) rmSync(unpacked, { recursive: true });
  process.exit(status ?? 1);
}

const node = (script, ...args) => [process.execPath, [join(root, script), ...args]];

const deb = join(root, 'out', `pvusb_${version}_amd64.deb`);
const sum = () => createHash('sha256').update(readFileSync(deb)).digest('hex');
step('the Debian package', ...node('scripts/package.js'));
const first = sum();
step('the Debian package once more', ...node('scripts/package.js'));
if (sum() !== first) {
  console.error('# the same sources made a different package');
  process.exit(1);
}

const packed = join(workshop, 'npm');
rmSync(packed, { recursive: true, force: true });
mkdirSync(packed, { recursive: true });
installPackaging();
// The build has been done.
step("npm's package", 'npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', packed]);
const tarball = join(packed, `pvusb-${version}.tgz`);
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
unpacked = mkdtempSync(join(tmpdir(), 'pvusb-unpacked-'));
step('unpack', 'dpkg-deb', ['-x', deb, unpacked]);
// Those that start the program as others do, and the package's own.
const tests = testNames().filter((name) => /^(package\/|cli\/(process|completion-shells))/.test(name));
Object.assign(process.env, {
  PVUSB_DEB: deb,
  PVUSB_ROOT: unpacked,
  PVUSB_TARBALL: tarball,
  PVUSB_PROGRAM: join(unpacked, 'usr/bin/pvusb'),
});
console.log(`# ${tests.length} files of tests`);
const passed = await runTests(tests, 2);
rmSync(unpacked, { recursive: true });
process.exit(passed ? 0 : 1);
