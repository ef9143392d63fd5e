// Compiles what has changed and carries out a lab command: `npm run lab:start`. `test` runs its suites, all or those
// named: `npm run test:lab -- smoke`. Without a command: everything, from scratch to the first suite.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const run = (...args) => {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
};

const [command = 'all', ...args] = process.argv.slice(2);
run('node_modules/typescript/bin/tsc', '-p', '.');
if (command === 'all') run('build/test/lab/run.js', 'smoke');
else if (command === 'test') run('build/test/lab/run.js', ...args);
else run('build/lab/main.js', command, ...args);
