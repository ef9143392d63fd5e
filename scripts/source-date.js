// Of what time the sources are: what is made of the same sources is the same.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './bundle.js';

/** Seconds since 1970: `SOURCE_DATE_EPOCH`, else the time of the last commit, else (sources without git) of package.json. */
export function sourceSeconds() {
  const { SOURCE_DATE_EPOCH } = process.env;
  if (SOURCE_DATE_EPOCH) return Number(SOURCE_DATE_EPOCH);
  const { stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' });
  return Number(stdout?.trim() || Math.floor(statSync(join(root, 'package.json')).mtimeMs / 1000));
}
