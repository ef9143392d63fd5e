// Runs what needs a real xenstored or QEMU with those of each Debian suite that the tests know:
// `npm run test:releases -- trixie` takes only one. `npm test` runs the same tests with bookworm's.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { root } from './bundle.js';
import { runTests, testNames } from './run-tests.js';

/** Folders and files of `test` whose tests start one. */
const TESTS = [
  ...['core/cases/oxenstored', 'core/cases/xenstored', 'core/trouble/hostile-guest', 'core/trouble/parallel'],
  ...['conformance/oxenstored', 'conformance/xenstored', 'xenstored/', 'xenstore/', 'qmp/qemu', 'xlcfg/xl'],
  'cli/process',
];

// The processes that the tests start run the bundle.
for (const [script, ...args] of [['scripts/build.js'], ['node_modules/typescript/bin/tsc', '-p', '.']]) {
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
const { SUITES } = await import(join(root, 'build', 'test', 'support', 'suites.js'));
const asked = process.argv.slice(2);
const results = new Map();
for (const suite of asked.length > 0 ? asked : Object.keys(SUITES)) {
  if (!Object.hasOwn(SUITES, suite)) throw new Error(`the suites are ${Object.keys(SUITES).join(', ')}`);
  const { xen, qemu } = SUITES[suite];
  const release = `Debian ${suite}: Xen ${xen}, QEMU ${qemu}`;
  console.log(`# ${release}`);
  process.env.PVUSB_TEST_SUITE = suite;
  const names = testNames().filter(
    (name) => TESTS.some((test) => name.startsWith(test)) && !name.endsWith('-trixie'),
  );
  results.set(release, await runTests(names, availableParallelism() + 1));
}
console.log('');
for (const [release, passed] of results) console.log(`${passed ? 'ok  ' : 'FAIL'} ${release}`);
process.exit([...results.values()].every(Boolean) ? 0 : 1);
