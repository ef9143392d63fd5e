// Runs everything that must pass: format and lint, the compiler, the build, and the tests. `npm test -- core sweep`
// runs only the named folders. The suites of the lab, which take minutes, are run by `npm run test:lab`, those of the
// packages by `npm run test:package`, those of the page in a browser by `npm run test:web`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { root } from './bundle.js';
import { runTests, testNames } from './run-tests.js';

const only = process.argv.slice(2);

async function does(what, command, args) {
  console.log(`# ${what}`);
  const [status, signal] = await once(spawn(command, args, { cwd: root, stdio: 'inherit' }), 'exit');
  if (status !== 0) throw new Error(`${what} failed${signal ? ` (${signal})` : ''}`);
}

const bin = (name) => join(root, 'node_modules', '.bin', name);
const made = await Promise.allSettled([
  does('format and lint', bin('biome'), ['check', '--error-on-warnings', '.']),
  // The compiler that has the tests checks the sources, too. Each of its checkers looks at what all of them share: one
  // takes a fifth less CPU time than several.
  does('build', process.execPath, ['scripts/build.js', '--unchecked']),
  does('compile the tests', bin('tsc'), ['-p', 'tsconfig.json', '--checkers', '1']),
  does('check the page', bin('tsc'), ['-p', 'web/tsconfig.json', '--checkers', '1']),
]);
const faults = made.filter(({ status }) => status === 'rejected');
for (const { reason } of faults) console.error(`# ${reason.message}`);
if (faults.length > 0) process.exit(1);

const names = testNames()
  .filter((name) => !/^(lab|package|web\/browser)\//.test(name))
  .filter((name) => only.length === 0 || only.some((folder) => name.startsWith(folder)));
console.log(`# ${names.length} files of tests`);
// Some suites mostly wait for processes and daemons: two processes more than there are CPUs keep them busy.
process.exit((await runTests(names, availableParallelism() + 2)) ? 0 : 1);
