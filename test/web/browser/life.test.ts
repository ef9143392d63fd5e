/** What happens to an open page: others, restarts, plugs, hostile devices, roles; what it looks like. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { demoWorld } from '../../../src/cli/commands/demo.js';
import { shortWorld } from '../../../src/sim/index.js';
import { projectRoot } from '../../xenstored/fetch.js';
import { beginGiving, close, confirm, deviceRow, guestCard } from './act.js';
import { browser, skip } from './chromium.js';
import { Stage } from './stage.js';

const AXE = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds wrong. */
async function violations(page: Page): Promise<string[]> {
  // The page allows no foreign script: axe comes the way that browsers' own tools do.
  await page.evaluate(await AXE);
  const found = await page.evaluate<{ id: string; nodes: { html: string; failureSummary: string }[] }[]>(
    'axe.run().then(({ violations }) => violations)',
  );
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}

async function shoot(page: Page, name: string, fullPage = false): Promise<void> {
  await page.screenshot({ path: join(projectRoot(), 'out/page', `${name}.png`), fullPage });
}

describe('an open page', { skip }, () => {
  let stage: Stage;
  let page: Page;
  before(async () => {
    const rules = 'auto accounting id=08e6:3437 serial=SC-0042\nask frontdesk id=0a5f:0166 serial=LP-118\n';
    stage = await Stage.open(browser as Browser, await demoWorld(), rules);
    page = await stage.page('admin');
  });
  after(() => stage[Symbol.asyncDispose]());
  beforeEach(() => page.keyboard.press('Escape'));

  it('looks right, light and dark, wide and narrow, and axe finds nothing', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const wide = await stage.page('admin', { colorScheme });
      await wide.getByText('All in order: nothing is half done').waitFor();
      assert.deepEqual(await violations(wide), [], colorScheme);
      await shoot(wide, colorScheme);
      await beginGiving('keyboard', wide, { busid: '1-2', domid: 2, guest: 'frontdesk' });
      await wide.getByText('What will be done').waitFor();
      assert.deepEqual(await violations(wide), [], `${colorScheme}, the dialog`);
      await shoot(wide, `${colorScheme}-dialog`);
      const narrow = await stage.page('admin', { colorScheme, width: 390, height: 844 });
      await narrow.getByText('All in order: nothing is half done').waitFor();
      assert.deepEqual(await violations(narrow), [], `${colorScheme}, narrow`);
      const [has, shows] = await narrow.evaluate<[number, number]>(
        '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
      );
      assert.ok(has <= shows, 'nothing sticks out to the side');
      await shoot(narrow, `${colorScheme}-narrow`, true);
      await wide.context().close();
      await narrow.context().close();
    }
  });

  it('has nothing to say without a token, and takes one', async () => {
    const bare = await stage.page(undefined);
    await bare.getByLabel('Token').waitFor();
    assert.deepEqual(await violations(bare), []);
    await shoot(bare, 'sign-in');
    await bare.getByLabel('Token').fill('pvusb_wrong');
    await bare.keyboard.press('Enter');
    await bare.getByRole('alert').getByText('That token is not known.').waitFor();
    await bare.getByLabel('Token').fill(stage.url('viewer').split('=')[1]!);
    await bare.keyboard.press('Enter');
    await bare.getByText('token vera').waitFor();
    await bare.getByRole('button', { name: 'Sign out' }).click();
    await bare.getByLabel('Token').waitFor();
    await bare.context().close();
  });

  it('takes the token out of the address at once', async () => {
    assert.equal(page.url(), `http://${stage.address}/`);
    await page.reload();
    await page.getByText('token ann').waitFor();
  });

  it('shows what another browser does', async () => {
    const other = await stage.page('operator');
    await beginGiving('mouse', other, { busid: '1-2', domid: 2, guest: 'frontdesk' });
    await confirm('mouse', other, 'Give it to frontdesk');
    await deviceRow(page, '1-2').getByText('frontdesk, port').waitFor();
    await page
      .locator('#journal')
      .getByText(/Memory Stick 32 GB \(1-2\) is in port/)
      .first()
      .waitFor();
    await deviceRow(page, '1-2')
      .getByRole('button', { name: /^Take back…/ })
      .click();
    await confirm('mouse', page, 'Take it back');
    await deviceRow(other, '1-2')
      .getByRole('button', { name: /^Give to…/ })
      .waitFor();
    await other.context().close();
  });

  it('shows a viewer everything, and no buttons', async () => {
    const viewer = await stage.page('viewer');
    await viewer.getByText('May frontdesk have Label Printer?').waitFor();
    await viewer.getByText('All in order: nothing is half done').waitFor();
    const buttons = await viewer.getByRole('button').allInnerTexts();
    assert.deepEqual(buttons, ['Sign out']);
    assert.equal(await viewer.locator('[draggable="true"]').count(), 0);
    assert.deepEqual(await violations(viewer), []);
    await viewer.context().close();
  });

  it('shows an operator what operators may do', async () => {
    const operator = await stage.page('operator');
    await deviceRow(operator, '1-3.1')
      .getByRole('button', { name: /^Give to…/ })
      .click();
    await operator.getByLabel('Guest', { exact: true }).selectOption('accounting');
    await operator.getByText('Only an admin can give it anyway').waitFor();
    assert.equal(await operator.getByLabel('Always give this device').count(), 0);
    assert.equal(await operator.getByRole('button', { name: /^Remove…/ }).count(), 0);
    await operator.context().close();
  });

  it('keeps up when a device is pulled out while its dialog is open', async () => {
    await beginGiving('mouse', page, { busid: '1-2', domid: 2, guest: 'frontdesk' });
    await page.getByText('What will be done').waitFor();
    await stage.unplug('1-2');
    await page.getByRole('alert').getByText('This is not possible.').waitFor();
    await shoot(page, 'pulled-out');
    await deviceRow(page, '1-2').getByText('pulled out').waitFor();
    await stage.plug('1-2');
    await page.getByText('What will be done').waitFor();
    await confirm('mouse', page, 'Give it to frontdesk');
    await close('mouse', page);
  });

  it('shows what a guest loses when its device is pulled out', async () => {
    await stage.unplug('1-2');
    await deviceRow(page, '1-2').getByText('pulled out').waitFor();
    await page
      .locator('#journal')
      .getByText(/was pulled out/)
      .first()
      .waitFor();
    await guestCard(page, 2).getByText('Memory Stick 32 GB', { exact: true }).waitFor({ state: 'detached' });
    await stage.plug('1-2');
    await deviceRow(page, '1-2')
      .getByRole('button', { name: /^Give to…/ })
      .waitFor();
  });

  it('frees the port of a device that is gone', async () => {
    // The daemon frees such ports by itself, unless it cannot: what it answers then is put in its place here.
    const busid = '9-9';
    const asked: string[] = [];
    const held = await stage.page('operator', { isBare: true });
    await held.route('**/api/v1/list*', async (route) => {
      const answer = await route.fetch();
      const guests = (await answer.json()) as { domid: number; controllers: { ports: object[] }[] }[];
      const ports = guests.find(({ domid }) => domid === 2)!.controllers[0]!.ports;
      ports[0] = { port: 1, busid, state: 'missing', missing: true };
      await route.fulfill({ response: answer, json: guests });
    });
    await held.route('**/api/v1/detach', async (route) => {
      asked.push(route.request().postData() ?? '');
      await route.continue();
    });
    await held.reload();
    await deviceRow(held, busid).getByText('frontdesk, port 1').waitFor();
    await deviceRow(held, busid)
      .getByRole('button', { name: /^Free port…/ })
      .click();
    await held.getByRole('dialog', { name: /^Free the port/ }).waitFor();
    await held.getByRole('alert').waitFor();
    assert.deepEqual(JSON.parse(asked[0]!), { domain: 2, devid: 0, port: 1, dryRun: true });
    await held.context().close();
  });

  it('goes on by itself after the daemon was restarted, without a reload', async () => {
    await page.evaluate('window.isTheSame = true');
    await stage.stop();
    await page.getByText('not connected, trying again').waitFor();
    await shoot(page, 'not-connected');
    await stage.unplug('3-2');
    await stage.start();
    await page.getByText('live', { exact: true }).waitFor();
    await deviceRow(page, '3-2').waitFor({ state: 'detached' });
    await stage.plug('3-2');
    await deviceRow(page, '3-2').waitFor();
    assert.equal(await page.evaluate('window.isTheSame'), true);
  });
});

describe('a page with hostile devices', { skip }, () => {
  it('shows what they call themselves as text', async () => {
    const evil = '<img src=x onerror="document.title=1">\u202egnp.exe\u0007\u200b';
    const world = shortWorld({
      devices: [
        {
          busid: '1-1',
          id: '1234:5678',
          product: evil,
          manufacturer: '<script>document.title=2</script>',
          serial: '"><b>',
          interfaces: ['08/06/50'],
        },
        { busid: '1-2', id: '1234:5679', product: 'A'.repeat(126), interfaces: ['08/06/50'] },
      ],
      domains: [{ domid: 1, name: '<i>guest</i>' }],
    });
    await using stage = await Stage.open(browser as Browser, world);
    const page = await stage.page('admin');
    await deviceRow(page, '1-1')
      .locator('.name')
      .getByText('<img src=x onerror="document.title=1">')
      .waitFor();
    await guestCard(page, 1).getByText('<i>guest</i>', { exact: true }).first().waitFor();
    assert.equal(await page.title(), 'pvusb');
    assert.equal(await page.locator('#app img, #app script, #app b, #app i').count(), 0);
    const text = await page.locator('body').innerText();
    assert.doesNotMatch(text, /[\u202e\u0007\u200b]/);
    assert.match(text, /\\u\{202e\}gnp\.exe/);
    await shoot(page, 'hostile');
    assert.deepEqual(await violations(page), []);
  });

  it('teaches where there is nothing yet', async () => {
    await using stage = await Stage.open(browser as Browser, shortWorld({}));
    const page = await stage.page('admin');
    await page.getByText('No USB device is plugged in.').waitFor();
    await page.getByText('No guest is running.').waitFor();
    await page.getByText('No rule gives a device to a guest yet.').waitFor();
    await shoot(page, 'empty');
    assert.deepEqual(await violations(page), []);
  });
});
