/** Builds the program, compiles the benchmark and runs it: `npm run bench`. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
process.chdir(root);
for (const script of ['scripts/build.js', 'node_modules/typescript/bin/tsc', 'build/bench/main.js']) {
  const { status } = spawnSync(process.execPath, [script], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
