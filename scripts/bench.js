/** Builds the program, compiles a benchmark and runs it: `npm run bench`, `npm run bench:start`. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const benchmark = process.argv[2] ?? 'main';
process.chdir(root);
for (const script of ['scripts/build.js', 'node_modules/typescript/bin/tsc', `build/bench/${benchmark}.js`]) {
  const { status } = spawnSync(process.execPath, [script], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
