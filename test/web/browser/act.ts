/** What people do with a page, by mouse and by keyboard. */
import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';

/** How it is done. */
type Hand = 'mouse' | 'keyboard';

/** Both hands. */
export const HANDS: readonly Hand[] = ['mouse', 'keyboard'];

/** A device in the host's tree. */
export function deviceRow(page: Page, busid: string): Locator {
  return page.locator(`#devices [data-busid="${busid}"]`);
}

/** A guest. */
export function guestCard(page: Page, domid: number): Locator {
  return page.locator(`[data-domid="${domid}"]`);
}

/** Presses a button. By keyboard: goes there with Tab alone, from wherever the focus is. */
export async function press(hand: Hand, page: Page, button: Locator): Promise<void> {
  await button.waitFor();
  if (hand === 'mouse') return button.click();
  await tabTo(page, button);
  await page.keyboard.press('Enter');
}

/** Goes to something with Tab alone. */
export async function tabTo(page: Page, target: Locator): Promise<void> {
  const handle = await target.elementHandle();
  assert.ok(handle);
  for (let presses = 0; presses < 200; presses++) {
    if (await handle.evaluate((element) => element === element.ownerDocument.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail('it cannot be reached with Tab');
}

/** Opens the dialog that gives a device to a guest: by dragging, or with the menu and the keyboard. */
export async function beginGiving(
  hand: Hand,
  page: Page,
  { busid, domid, guest, port }: { busid: string; domid: number; guest: string; port?: number },
): Promise<void> {
  const button = deviceRow(page, busid).getByRole('button', { name: /^Give to…/ });
  // A device that has just come back can be dragged once the page knows that it is free.
  await button.waitFor();
  if (hand === 'mouse') {
    const card = guestCard(page, domid);
    const target = port === undefined ? card.locator('h3') : card.locator(`[data-port="0 ${port}"]`);
    await deviceRow(page, busid).dragTo(target);
  } else {
    await press(hand, page, button);
    await page.getByRole('dialog').waitFor();
    await tabTo(page, page.getByLabel('Guest', { exact: true }));
    await page.keyboard.type(guest);
    if (port !== undefined) {
      await tabTo(page, page.getByLabel('Port', { exact: true }));
      await page.keyboard.type(`controller 0, port ${port}`);
    }
  }
  await page.getByRole('dialog', { name: /^Give .* to / }).waitFor();
}

/** Confirms what is planned, and waits until it is done. */
export async function confirm(hand: Hand, page: Page, verb: RegExp | string): Promise<void> {
  const button = page.getByRole('dialog').getByRole('button', { name: verb });
  const told = async (error: unknown): Promise<never> =>
    assert.fail(`${error}\nThe dialog says: ${await page.getByRole('dialog').innerText()}`);
  await page.locator('.dialog-buttons .main:not([aria-disabled="true"])').waitFor().catch(told);
  await press(hand, page, button);
  await page.locator('.outcome.good').waitFor().catch(told);
}

/** Closes the dialog. */
export async function close(hand: Hand, page: Page): Promise<void> {
  if (hand === 'mouse')
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /^(Close|Cancel)$/ })
      .click();
  else await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
}

/** Takes back what was done, with what the page offers. */
export async function undo(hand: Hand, page: Page, verb: RegExp | string): Promise<void> {
  await press(hand, page, page.getByRole('dialog').getByRole('button', { name: 'Undo…' }));
  await page.getByRole('dialog', { name: /^Undo: / }).waitFor();
  await confirm(hand, page, verb);
  await close(hand, page);
}
