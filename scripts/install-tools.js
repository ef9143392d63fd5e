// Installs tools that only some scripts need: apart from the project's own dependencies, pinned by a lock of their own.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from './bundle.js';

/**
 * Installs what a folder's package-lock.json names, unless it is already there; with `anyProcessor` also programs that
 * this machine cannot run.
 */
export function installTools(folder, { anyProcessor = false } = {}) {
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8');
  const installed = join(folder, 'node_modules', '.lock-installed');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === lock) return;
  console.log(`# installing the tools of ${relative(root, folder)}`);
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  if (anyProcessor) quiet.push('--force');
  const { status, error } = spawnSync('npm', ['ci', ...quiet], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error(`npm ci in ${folder} failed${error ? `: ${error.message}` : ''}`);
  writeFileSync(installed, lock);
}
