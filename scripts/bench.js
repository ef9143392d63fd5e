/** Compiles and runs the benchmark: `npm run bench`. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
process.chdir(root);
for (const args of [['node_modules/typescript/bin/tsc'], ['--enable-source-maps', 'build/bench/main.js']]) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
