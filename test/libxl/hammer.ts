/** A process that counts in a domain's configuration until the file STOP is there: `hammer.js ROOT STOP`. */
import { existsSync } from 'node:fs';
import { openUserdata } from '../../src/libxl/index.js';
import { DOMAIN } from './folder.js';

const [root, stop] = process.argv.slice(2) as [string, string];
const userdata = openUserdata({ root });

let added = 0;
process.stdout.write('ready\n');
while (!existsSync(stop)) {
  await userdata.withLock(DOMAIN, { withinMs: 60_000 }, async ({ read, write }) => {
    const saved = (await read())!;
    const ports = saved.controllers[0]!.ports!;
    await write(saved.withController({ devid: 0, type: 'pv', ports: ports + 1 }));
  });
  added++;
}
process.stdout.write(`added ${added}\n`);
