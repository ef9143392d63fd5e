// Compiles what has changed and carries out a lab command: `npm run lab:start`. `test` runs its suites, all or those
// named: `npm run test:lab -- smoke`. Without a command: everything, from scratch to the first suite. All take
// `--release trixie`.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const run = (...args) => {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
};

const words = process.argv.slice(2);
const isAll = words.length === 0 || words[0].startsWith('-');
const [command, ...args] = isAll ? ['test', 'smoke', ...words] : words;
run('node_modules/typescript/bin/tsc', '-p', '.');
if (command === 'test') run('build/test/lab/run.js', ...args);
else run('build/lab/main.js', command, ...args);
