// Makes the README's screenshot and animation from the real page: `npm run screenshots`. Needs a built project, its
// compiled tests, and Chromium.
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { root } from './bundle.js';
import { encodeApng } from './screenshots/apng.js';
import { startDemo } from './screenshots/demo.js';

const OUT = `${root}/docs/images`;
const SIZE = { width: 1180, height: 760 };
/** Both files together; bytes. */
const BYTES_MAX = 1_000_000;

mkdirSync(OUT, { recursive: true });
const demo = await startDemo();
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
];
const browser = await chromium.launch({ executablePath, args });
try {
  const context = await browser.newContext({ viewport: SIZE, reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(demo.url);
  const row = page.locator('#devices [data-busid="1-2"]');
  await row.waitFor();
  await page.getByText('All in order: nothing is half done').waitFor();
  await page.getByText('May frontdesk have').waitFor();
  await page
    .getByText(/^stays here/)
    .first()
    .waitFor();
  writeFileSync(`${OUT}/page.png`, await page.screenshot());

  const frames = [];
  const take = async (ms) => frames.push({ png: await page.screenshot(), ms });
  await take(1500);
  const [from, to] = [await row.boundingBox(), await page.locator('[data-domid="2"]').boundingBox()];
  const at = (part) => [
    from.x + 80 + (to.x + 150 - from.x - 80) * part,
    from.y + 20 + (to.y + 40 - from.y - 20) * part,
  ];
  await page.mouse.move(...at(0));
  await page.mouse.down();
  for (const part of [0.4, 1]) {
    await page.mouse.move(...at(part), { steps: 4 });
    await take(600);
  }
  await page.mouse.up();
  await page.getByText('What will be done').waitFor();
  await take(2500);
  await page.getByRole('button', { name: 'Give it to frontdesk' }).click();
  await page.locator('.outcome.good').waitFor();
  await take(1800);
  await page.keyboard.press('Escape');
  await page.locator('[data-domid="2"] .port').waitFor();
  await page.getByText('used by usb-storage').first().waitFor();
  await take(2500);
  writeFileSync(`${OUT}/page-animation.png`, encodeApng(frames));
} finally {
  await browser.close();
  await demo.stop();
}
const sizes = ['page.png', 'page-animation.png'].map((name) => ({
  name,
  bytes: statSync(`${OUT}/${name}`).size,
}));
for (const { name, bytes } of sizes) console.log(`docs/images/${name}: ${Math.round(bytes / 1024)} KB`);
if (sizes.reduce((sum, { bytes }) => sum + bytes, 0) > BYTES_MAX)
  throw new Error('the pictures are too large');
