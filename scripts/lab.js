// Compiles what has changed and runs a command of the lab: `npm run lab:start`. Without a command: everything, from
// nothing to the first test.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const run = (script, ...args) => {
  const { status } = spawnSync(process.execPath, [join(root, script), ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
};

run('node_modules/typescript/bin/tsc', '-p', root);
run('build/lab/main.js', ...process.argv.slice(2));
