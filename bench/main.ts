/** The benchmark: everything in one run, against Debian's C xenstored; exit status 1 when a goal is missed. */
import { countAttach } from './attach.js';
import { measureInventory } from './inventory.js';
import { compilePeer } from './peers.js';
import { measureStart } from './process.js';
import { measureReads } from './reads.js';
import { type Goal, printGoals } from './report.js';
import { measureScale } from './scale.js';
import { startStore } from './stores.js';

const program = await compilePeer();
const size = { domains: 50, controllers: 2, ports: 15 };
const daemon = await startStore(size);
const goals: Goal[] = [];
goals.push(...(await measureReads(daemon, program)));
goals.push(...(await measureInventory(daemon, size, program)));
goals.push(...(await countAttach()));
goals.push(...(await measureStart(daemon, program)));
await daemon.stop();
goals.push(...(await measureScale()));
process.exitCode = printGoals(goals) ? 0 : 1;
