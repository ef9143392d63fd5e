/** Runs the plan scripts: every plan is the one on file, field by field. `UPDATE=1` rewrites them. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../../xenstored/fetch.js';
import { playScript } from './script.js';

const FOLDER = join(projectRoot(), 'test', 'fixtures', 'plan-scripts');

for (const name of readdirSync(FOLDER)) {
  test(`the plans of ${name} are those on file`, async () => {
    const file = join(FOLDER, name);
    const script = readFileSync(file, 'utf8');
    const played = await playScript(script);
    if (process.env.UPDATE === '1') writeFileSync(file, played);
    else assert.equal(played, script, `${file}: UPDATE=1 rewrites it`);
  });
}
