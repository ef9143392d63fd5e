/** What a new user does: start the demo, open what it prints, give a stick to a guest. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { projectRoot } from '../../xenstored/fetch.js';
import { beginGiving, confirm, guestCard } from './act.js';
import { browser, skip } from './chromium.js';

describe('pvusb demo', { skip }, () => {
  it('prints an address; whoever opens it gives a stick to a guest', async () => {
    const program = join(projectRoot(), 'dist/cli/main.cjs');
    // As "npm run demo" starts it, in a checkout without an installed pvusb.
    const env = { ...process.env, npm_lifecycle_event: 'demo' };
    const demo = spawn(process.execPath, [program, 'demo'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    for await (const piece of demo.stdout) {
      text += String(piece);
      if (text.includes('Ctrl-C')) break;
    }
    assert.match(text, /^ {2}node dist\/cli\/main\.cjs sim unplug 1-2 --dir /m);
    const page = await (browser as Browser).newPage();
    await page.goto(/http:\S+/.exec(text)![0]);
    await beginGiving('mouse', page, { busid: '1-2', domid: 2, guest: 'frontdesk' });
    await confirm('mouse', page, 'Give it to frontdesk');
    await guestCard(page, 2).getByText('Memory Stick 32 GB', { exact: true }).waitFor();
    assert.doesNotMatch(page.url(), /token/);
    await page.context().close();
    const ended = once(demo, 'exit');
    demo.kill('SIGINT');
    assert.deepEqual(await ended, [0, null]);
  });
});
