/** Fuzzes the backend for long: `npm run fuzz:backend`, a million requests unless another number is given (some
 * guests end early, when their ring has become impossible).
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

process.chdir(join(import.meta.dirname, '..'));
const env = { ...process.env, FUZZ: 'all', PVUSB_FUZZ_REQUESTS: process.argv[2] ?? '1020000' };
for (const args of [['node_modules/typescript/bin/tsc'], ['--test', 'build/test/backend/fuzz.test.js']]) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', env });
  if (status !== 0) process.exit(status ?? 1);
}
