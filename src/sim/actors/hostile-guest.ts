/** What a hostile guest does to its own nodes: anything, at any time. */
import type { ActorStore } from './actor.js';
import { pick } from './random.js';

const KEYS = [
  'backend',
  'backend-id',
  'state',
  'event-channel',
  'urb-ring-ref',
  'conn-ring-ref',
  'protocol',
  'x',
];

/** Values that a careless toolstack could trip over. */
const VALUES = [
  '',
  '-1',
  '4',
  '5',
  '6',
  '99999999999999999999',
  '0x4',
  ' 4\n',
  '/local/domain/0',
  '/local/domain/0/backend/vusb/0/0',
  '/local/domain/0/backend/vusb/2/0',
  '/local/domain/0/backend/vusb/../../..',
  '\u001b[2J\u0007',
  '\u0000\u0000',
  '<img src=x onerror=alert(1)>',
];

/** Longest garbage written: xenstored's own quota for a guest's node (`quota-max-entry-size`). */
const GARBAGE_MAX_BYTES = 2048;

/** One random hostile operation in the frontend directories of the guest that `store` belongs to. */
export async function misbehave(store: ActorStore, random: () => number): Promise<void> {
  const devids = (await store.directory('device/vusb')) ?? [];
  if (devids.length === 0) return;
  const controller = `device/vusb/${pick(random, devids)}`;
  const path = `${controller}/${pick(random, KEYS)}`;
  const choice = random();
  if (choice < 0.55) await store.write(path, pick(random, VALUES));
  else if (choice < 0.7) await store.write(path, garbage(random));
  else if (choice < 0.8) await store.rm(path);
  else if (choice < 0.88) await store.mkdir(`${path}/${Math.floor(random() * 1000)}`);
  else if (choice < 0.94)
    await store.setPermissions(path, [{ domid: await ownDomid(store), access: 'both' }]);
  else await store.rm(controller);
}

function garbage(random: () => number): string {
  const length = Math.floor(random() * GARBAGE_MAX_BYTES);
  return Array.from({ length }, () => String.fromCharCode(Math.floor(random() * 128))).join('');
}

async function ownDomid(store: ActorStore): Promise<number> {
  return Number((await store.read('domid')) ?? 0);
}
