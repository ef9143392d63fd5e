/** Everything that the page can do, by mouse and by keyboard alone. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { demoWorld } from '../../../src/cli/commands/demo.js';
import { beginGiving, close, confirm, deviceRow, guestCard, HANDS, press, tabTo, undo } from './act.js';
import { browser, skip } from './chromium.js';
import { Stage } from './stage.js';

for (const hand of HANDS) {
  describe(`the page, by ${hand}`, { skip }, () => {
    let stage: Stage;
    let page: Page;
    before(async () => {
      const rules = 'ask frontdesk id=0a5f:0166 serial=LP-118\nask accounting id=0403:6001 serial=FT-A91\n';
      stage = await Stage.open(browser as Browser, await demoWorld(), rules);
      page = await stage.page('admin');
    });
    after(() => stage[Symbol.asyncDispose]());
    // What one test leaves open is not another's trouble.
    beforeEach(() => page.keyboard.press('Escape'));

    const rulesOf = async (): Promise<string> => readFile(join(stage.dir, 'rules/assignments.conf'), 'utf8');

    it('gives a device to a guest after showing the plan and what the host loses, and undoes it', async () => {
      await beginGiving(hand, page, { busid: '1-2', domid: 2, guest: 'frontdesk' });
      const dialog = page.getByRole('dialog');
      await dialog.getByText('hand 1-2:1.0 to usbback').waitFor();
      await dialog.getByText('its driver usb-storage releases it').waitFor();
      assert.equal(stage.host.usb.device('1-2')?.interfaces[0]?.driver, 'usb-storage', 'nothing is done yet');
      await confirm(hand, page, 'Give it to frontdesk');
      assert.equal(await dialog.locator('.steps li.done').count(), 5, 'every step is ticked off');
      await guestCard(page, 2).getByText('Memory Stick 32 GB', { exact: true }).waitFor();
      await undo(hand, page, 'Take it back');
      await deviceRow(page, '1-2').getByText('used by usb-storage').waitFor();
      await page.getByText('Memory Stick 32 GB is back on the host.').waitFor();
    });

    it('gives a device to one port', async () => {
      await beginGiving(hand, page, { busid: '1-2', domid: 2, guest: 'frontdesk', port: 5 });
      await confirm(hand, page, 'Give it to frontdesk');
      await close(hand, page);
      await deviceRow(page, '1-2').getByText('frontdesk, port 5').waitFor();
    });

    it('shows which sockets of the host are free', async () => {
      await page
        .locator('#devices')
        .getByText(/^free sockets /)
        .first()
        .waitFor();
    });

    it('moves a device from one guest to another, in two plans', async () => {
      if (hand === 'mouse') {
        await guestCard(page, 2).locator('[data-busid="1-2"]').dragTo(guestCard(page, 1).locator('h3'));
        await page.getByRole('dialog', { name: /, to give it to accounting$/ }).waitFor();
      } else await press(hand, page, deviceRow(page, '1-2').getByRole('button', { name: /^Take back…/ }));
      await confirm(hand, page, 'Take it back');
      if (hand === 'mouse')
        await press(hand, page, page.getByRole('button', { name: 'Give Memory Stick 32 GB to accounting…' }));
      else {
        await close(hand, page);
        await beginGiving(hand, page, { busid: '1-2', domid: 1, guest: 'accounting' });
      }
      await confirm(hand, page, 'Give it to accounting');
      await close(hand, page);
      await deviceRow(page, '1-2').getByText('accounting, port').waitFor();
      // And back, for what follows.
      await press(hand, page, deviceRow(page, '1-2').getByRole('button', { name: /^Take back…/ }));
      await confirm(hand, page, 'Take it back');
      await close(hand, page);
      await beginGiving(hand, page, { busid: '1-2', domid: 2, guest: 'frontdesk', port: 5 });
      await confirm(hand, page, 'Give it to frontdesk');
      await close(hand, page);
    });

    it('takes a device back, and undoes that', async () => {
      await press(hand, page, deviceRow(page, '1-2').getByRole('button', { name: /^Take back…/ }));
      await confirm(hand, page, 'Take it back');
      await undo(hand, page, 'Give it to frontdesk');
      await deviceRow(page, '1-2').getByText('frontdesk, port 5').waitFor();
      // The mouse can drag it back as well.
      if (hand === 'mouse')
        await guestCard(page, 2).locator('[data-busid="1-2"]').dragTo(page.locator('#devices-title'));
      else
        await press(
          hand,
          page,
          guestCard(page, 2).getByRole('button', { name: /^Take back… Memory Stick 32 GB/ }),
        );
      await confirm(hand, page, 'Take it back');
      await close(hand, page);
      await deviceRow(page, '1-2')
        .getByRole('button', { name: /^Give to…/ })
        .waitFor();
    });

    it('brings a controller along, and takes it away when that is undone', async () => {
      await beginGiving(hand, page, { busid: '2-1', domid: 3, guest: 'build-server' });
      await confirm(hand, page, 'Give it to build-server');
      await guestCard(page, 3).getByText('Controller 0').waitFor();
      await undo(hand, page, 'Take it back');
      await guestCard(page, 3).getByText('No USB controller yet').waitFor();
    });

    it('always gives a device to a guest, and says by what it is recognised', async () => {
      await beginGiving(hand, page, { busid: '2-1', domid: 2, guest: 'frontdesk' });
      const always = page.getByLabel('Always give this device to this guest');
      if (hand === 'mouse') await always.check();
      else {
        await tabTo(page, always);
        await page.keyboard.press('Space');
      }
      await page.getByText('its serial number: it is recognised in any socket').waitFor();
      await confirm(hand, page, 'Give it to frontdesk');
      await close(hand, page);
      assert.match(await rulesOf(), /auto frontdesk id=46f4:0001 serial=MS-9005/);
      await page.locator('#assignments').getByText('present').waitFor();
    });

    it('removes a rule, undoes that, and removes it; the guest keeps what it has', async () => {
      const before = await rulesOf();
      await press(
        hand,
        page,
        page.locator('#assignments').getByRole('button', { name: /^Remove….*MS-9005/ }),
      );
      await page.getByText('This rule will be removed.').waitFor();
      await confirm(hand, page, 'Remove the rule');
      assert.doesNotMatch(await rulesOf(), /MS-9005/);
      await press(hand, page, page.getByRole('dialog').getByRole('button', { name: 'Undo…' }));
      await page.getByText('A rule will be made.').waitFor();
      await confirm(hand, page, 'Make the rule');
      assert.equal(await rulesOf(), before);
      await close(hand, page);
      await press(
        hand,
        page,
        page.locator('#assignments').getByRole('button', { name: /^Remove….*MS-9005/ }),
      );
      await confirm(hand, page, 'Remove the rule');
      await close(hand, page);
      assert.doesNotMatch(await rulesOf(), /MS-9005/);
      await deviceRow(page, '2-1').getByText('frontdesk, port').waitFor();
    });

    it('makes a rule for a device that a guest has', async () => {
      await press(hand, page, deviceRow(page, '2-1').getByRole('button', { name: /^Always…/ }));
      await page.getByText('its serial number').waitFor();
      await confirm(hand, page, 'Make the rule');
      assert.match(await rulesOf(), /MS-9005/);
      await undo(hand, page, 'Remove the rule');
      assert.doesNotMatch(await rulesOf(), /MS-9005/);
    });

    it('answers requests', async () => {
      await press(hand, page, page.getByRole('button', { name: /^Yes, give it….*Label Printer/ }));
      await page.getByText(/^claim port/).waitFor();
      await confirm(hand, page, 'Give it');
      await close(hand, page);
      await deviceRow(page, '1-4').getByText('frontdesk, port').waitFor();
      await press(hand, page, page.getByRole('button', { name: /^No….*Serial Adapter/ }));
      await confirm(hand, page, 'Do not give it');
      await close(hand, page);
      await page.getByRole('heading', { name: 'Waiting for approval' }).waitFor({ state: 'detached' });
      await deviceRow(page, '3-3')
        .getByRole('button', { name: /^Give to…/ })
        .waitFor();
    });

    it('refuses what the host needs, says what for, and lets an admin give a reason', async () => {
      await press(hand, page, deviceRow(page, '1-3.1').getByRole('button', { name: /^Give to…/ }));
      await page.getByLabel('Guest', { exact: true }).selectOption('accounting');
      await page
        .getByRole('alert')
        .getByText(/only keyboard/)
        .waitFor();
      await page.getByLabel('Reason to give it anyway').fill('a spare one is in the drawer');
      await press(hand, page, page.getByRole('button', { name: 'Plan with this reason' }));
      await confirm(hand, page, 'Give it to accounting');
      await undo(hand, page, 'Take it back');
    });

    it('repairs what the doctor finds', async () => {
      await beginGiving(hand, page, { busid: '3-2', domid: 3, guest: 'build-server' });
      await confirm(hand, page, 'Give it to build-server');
      await close(hand, page);
      await stage.killGuest('build-server');
      await press(hand, page, page.locator('#findings').getByRole('button', { name: 'Repair…' }));
      await confirm(hand, page, 'Repair');
      await close(hand, page);
      await page.getByText('All in order: nothing is half done').waitFor();
    });
  });
}
