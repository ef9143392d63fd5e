/** A process that counts in a domain's configuration when told to go: `hammer.js ROOT ROUNDS`. */
import { once } from 'node:events';
import { openUserdata } from '../../src/libxl/index.js';
import { HANG_MS } from '../support/hang.js';
import { DOMAIN } from './folder.js';

const [root, rounds] = process.argv.slice(2) as [string, string];
const userdata = openUserdata({ root });

process.stdout.write('ready\n');
await once(process.stdin, 'data');
for (let round = 0; round < Number(rounds); round++) {
  await userdata.withLock(DOMAIN, { withinMs: HANG_MS }, async ({ read, write }) => {
    const saved = (await read())!;
    const ports = saved.controllers[0]!.ports!;
    await write(saved.withController({ devid: 0, type: 'pv', ports: ports + 1 }));
  });
}
process.stdin.destroy();
