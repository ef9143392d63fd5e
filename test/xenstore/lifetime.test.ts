/** What keeps a program that uses the client alive: each case is a program of its own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { publishStore, SimStore } from '../../src/sim/index.js';
import { endOf } from '../support/hang.js';

const MODULE = new URL('../../src/xenstore/index.js', import.meta.url).href;

describe('a program with an open client', { concurrency: true }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'pvusb-life-'));
  const socket = join(folder, 'socket');
  const store = new SimStore();
  let close: () => Promise<void>;
  before(async () => {
    close = (await publishStore(store, socket)).close;
    store.intercept = ({ path }) => (path === '/held' ? 'hold' : 'pass');
  });
  after(async () => {
    await close();
    rmSync(folder, { recursive: true });
  });

  /** Runs a program that says `ready` when it begins to wait; `then` happens a little later. */
  async function run(body: string, then: () => void = () => {}): Promise<string> {
    const script = `
      const { openXenstore } = await import(${JSON.stringify(MODULE)});
      const client = await openXenstore({ environment: { XENSTORED_PATH: ${JSON.stringify(socket)} } });
      const say = (text) => process.stdout.write(text + '\\n');
      ${body}
      say('end');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    let told = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (!said.includes('ready') || told) return;
      told = true;
      void sleep(150).then(then);
    });
    const status = await endOf(child);
    return `${said.trim().replaceAll('\n', ' ')} ${status}`;
  }

  it('ends by itself when the client is idle', async () => {
    assert.equal(await run("await client.read('/local'); say('ready');"), 'ready end 0');
  });

  it('ends by itself after its watches were closed', async () => {
    const body = `
      await (await client.watch('/t')).close();
      for await (const paths of await client.watch('/t')) break;
      const giveUp = AbortSignal.timeout(20);
      const watch = await client.watch('/t');
      await watch.next();
      await watch.next({ signal: giveUp }).catch((error) => say(error.name));
      await watch.close();`;
    assert.equal(await run(body), 'TimeoutError end 0');
  });

  it('keeps running while a call is unanswered', async () => {
    const body = "const held = client.read('/held'); say('ready'); say(String(await held));";
    assert.equal(await run(body, () => store.releaseHeld()), 'ready undefined end 0');
  });

  it('keeps running while it waits for a watch, with nothing else to do', async () => {
    const body = `
      const watch = await client.watch('/waited');
      await watch.next();
      say('ready');
      say((await watch.next()).value.join());
      await watch.close();`;
    const outcome = await run(body, () => void store.handle(0).write('/waited/for', ''));
    assert.equal(outcome, 'ready /waited/for end 0');
  });

  it('ends when it closes the client, whatever is open', async () => {
    const body = `
      const watch = await client.watch('/t');
      client.read('/held').catch((error) => say(error.code));
      say('ready');
      client.close();`;
    assert.equal(await run(body), 'ready end connection-lost 0');
  });
});
