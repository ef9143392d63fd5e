/** A process that observes a host repeatedly: its times, and its peak memory. */
import { createInterface } from 'node:readline';
import { observe } from '../src/pvusb/index.js';
import { timed } from './measure.js';
import { connect, hostOn } from './stores.js';

await using store = await connect(process.env.XENSTORED_PATH ?? '');
const host = hostOn(store);
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== 'observe') continue;
  let controllers = 0;
  const us = await timed(async () => {
    controllers = (await observe(host)).controllers.length;
  });
  console.log(`${us.toFixed(1)} ${controllers} ${process.resourceUsage().maxRSS}`);
}
