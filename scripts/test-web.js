// Tests the page in a real browser: `npm run test:web`. Screenshots go to out/page.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './bundle.js';
import { runTests, testNames } from './run-tests.js';

const only = process.argv.slice(2);
const steps = [
  [join(root, 'node_modules/.bin/tsc'), ['-p', 'web/tsconfig.json']],
  [process.execPath, ['scripts/build.js']],
  [join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.json']],
];
for (const [command, args] of steps) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}
mkdirSync(join(root, 'out/page'), { recursive: true });
const names = testNames()
  .filter((name) => name.startsWith('web/browser/'))
  .filter((name) => only.length === 0 || only.some((part) => name.endsWith(part)));
process.exit((await runTests(names, 1)) ? 0 : 1);
