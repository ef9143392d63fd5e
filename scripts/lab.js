// Compiles what has changed and carries out a command of the lab: `npm run lab:start`. `test` runs its suites, all or
// those named: `npm run test:lab -- smoke`. Without a command: everything, from nothing to the first suite.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { filesBelow } from './files.js';

const root = join(import.meta.dirname, '..');
const run = (...args) => {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
};

const [command = 'all', ...args] = process.argv.slice(2);
run('node_modules/typescript/bin/tsc', '-p', '.');
if (command === 'all' || command === 'test') {
  run('scripts/build.js');
  run('build/lab/main.js', 'build');
  const suites = command === 'all' ? ['smoke'] : args;
  const files = filesBelow(join(root, 'build/test/lab'), '.test.js').filter(
    (file) => suites.length === 0 || suites.some((suite) => file.endsWith(`/${suite}.test.js`)),
  );
  // One at a time: a lab takes all CPUs that there are.
  run('--test', '--test-concurrency=1', '--test-reporter=spec', ...files);
} else {
  run('build/lab/main.js', command, ...args);
}
