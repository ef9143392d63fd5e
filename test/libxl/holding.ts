/** A process that takes a domain's lock, says `held`, and keeps it until its input ends: `holding.js ROOT`. */
import { once } from 'node:events';
import { openUserdata } from '../../src/libxl/index.js';
import { DOMAIN } from './folder.js';

await openUserdata({ root: process.argv[2]! }).withLock(DOMAIN, {}, async () => {
  process.stdout.write('held\n');
  process.stdin.resume();
  await once(process.stdin, 'end');
});
