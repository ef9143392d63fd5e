/** How fast the page is, measured in the browser: 200 devices and 100 guests. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { shortWorld } from '../../../src/sim/index.js';
import { report } from '../../support/needs.js';
import { projectRoot } from '../../xenstored/fetch.js';
import { browser, skip } from './chromium.js';
import { Stage } from './stage.js';

const DEVICES = 200;
const GUESTS = 100;
const PLUGS = 8;

/** Hubs with hubs behind them, and sticks in those. */
function largeWorld() {
  const hubs = Array.from({ length: 8 }, (_, bus) => ({
    busid: `${bus + 1}-1`,
    id: '05e3:0608',
    class: '09',
    maxChild: 31,
  }));
  const devices = Array.from({ length: DEVICES }, (_, at) => ({
    busid: `${(at % 8) + 1}-1.${Math.floor(at / 8) + 1}`,
    id: '46f4:0001',
    product: `Stick ${at}`,
    serial: `S${at}`,
    interfaces: ['08/06/50'],
  }));
  const domids = Array.from({ length: GUESTS }, (_, at) => at + 1);
  return shortWorld({
    devices: [...hubs, ...devices],
    domains: domids.map((domid) => ({ domid, name: `guest-${domid}` })),
    controllers: domids.map((domid) => ({ domid, devid: 0, devices: { '1': devices[domid - 1]!.busid } })),
  });
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** CPU time of a process's descendants, in milliseconds: of the daemon and the browser, not of the simulated host. */
function cpuMsBelow(pid: number): number {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [, rest] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${name}/stat`, 'utf8')) ?? [];
        const fields = rest!.split(' ').map(Number);
        // In ticks of 10 ms: utime and stime (proc_pid_stat(5)).
        return { pid: Number(name), parent: fields[1]!, ms: 10 * (fields[11]! + fields[12]!) };
      } catch {
        return [];
      }
    });
  const below = (parent: number): number =>
    all.filter((one) => one.parent === parent).reduce((sum, one) => sum + one.ms + below(one.pid), 0);
  return below(pid);
}

/** Waits until something holds in the page, by its frames: the page allows no code from texts, not even a test's. */
async function polled(page: Page, holds: string): Promise<void> {
  await page.evaluate(`new Promise((resolve) => {
    const look = () => (${holds} ? resolve() : requestAnimationFrame(look));
    look();
  })`);
}

/** Waits until the page has nothing left to ask: otherwise what is measured waits for what was before. */
async function quiet(page: Page): Promise<void> {
  await page.evaluate(`new Promise((resolve) => {
    let last = performance.now();
    const observer = new PerformanceObserver(() => { last = performance.now(); });
    observer.observe({ type: 'resource' });
    const look = () => {
      if (performance.now() - last < 2500) return setTimeout(look, 100);
      observer.disconnect();
      resolve();
    };
    look();
  })`);
}

describe('the speed of the page', { skip }, () => {
  it('is measured, and nothing flickers', async () => {
    await using stage = await Stage.open(browser as Browser, largeWorld());
    const page = await stage.page('viewer', { isBare: true });
    // The daemon has much to do right after its start.
    await page.getByText(`${DEVICES} devices`).waitFor({ timeout: 60_000 });
    await page.getByText('All in order: nothing is half done').waitFor({ timeout: 60_000 });
    const paints: number[] = [];
    const cpu: number[] = [];
    for (let round = 0; round < 5; round++) {
      // From the beginning of the navigation until the last device and the last guest have been painted.
      await page.addInitScript(`
        new MutationObserver((_, observer) => {
          if (document.querySelectorAll('#devices .row').length < ${DEVICES} || !document.querySelector('[data-domid="${GUESTS}"]')) return;
          observer.disconnect();
          requestAnimationFrame(() => setTimeout(() => { window.paintedMs = performance.now(); }));
        }).observe(document, { childList: true, subtree: true });
      `);
      await quiet(page);
      const before = cpuMsBelow(process.pid);
      await page.reload();
      await polled(page, 'window.paintedMs !== undefined');
      cpu.push(cpuMsBelow(process.pid) - before);
      paints.push(await page.evaluate<number>('window.paintedMs'));
    }
    const first = await page.evaluate<number>(
      "performance.getEntriesByName('first-contentful-paint')[0].startTime",
    );

    // A row that has nothing to do with a change is never drawn again.
    await page.evaluate(`
      window.touched = 0;
      new MutationObserver((records) => { window.touched += records.length; }).observe(
        document.querySelector('#devices [data-busid="2-1.3"]').closest('li'),
        { childList: true, subtree: true, characterData: true, attributes: true },
      );
      window.seen = new Map();
      new MutationObserver(() => {
        const row = document.querySelector('#devices [data-busid="1-1.25"]');
        window.seen.set(row.classList.contains('absent') ? 'gone' : 'here', performance.timeOrigin + performance.now());
      }).observe(document.querySelector('#devices'), { childList: true, subtree: true, attributes: true });
    `);
    const delays: number[] = [];
    for (let round = 0; round < PLUGS; round++) {
      for (const state of ['gone', 'here'] as const) {
        await quiet(page);
        await page.evaluate('window.seen.clear()');
        const from = performance.timeOrigin + performance.now();
        if (state === 'gone') await stage.unplug('1-1.25');
        else await stage.plug('1-1.25');
        await polled(page, `window.seen.has('${state}')`);
        delays.push((await page.evaluate<number>(`window.seen.get('${state}')`)) - from);
      }
    }
    assert.equal(await page.evaluate('window.touched'), 0);

    const names = ['index.html', 'app.js', 'app.css', 'icon.svg'];
    const files = await Promise.all(names.map((name) => readFile(join(projectRoot(), 'dist/web', name))));
    const bytes = files.reduce((sum, file) => sum + gzipSync(file, { level: 9 }).length, 0);
    report(`first paint ${Math.round(first)} ms`);
    report(
      `${DEVICES} devices and ${GUESTS} guests painted after ${Math.round(median(paints))} ms (median of ` +
        `${paints.map(Math.round).join(', ')}), with ${Math.round(median(cpu))} ms of CPU for daemon and browser together`,
    );
    report(`load of the machine meanwhile: ${loadavg()[0]!.toFixed(1)} on ${availableParallelism()} CPUs`);
    report(
      `a change on the host is in the page after ${Math.round(median(delays))} ms (median of ${delays.length}; longest ${Math.round(Math.max(...delays))} ms)`,
    );
    report(`the page has ${(bytes / 1024).toFixed(1)} KB gzipped`);
  });
});
