/** What a store contains when a world begins. */
import type { ActorStore } from '../actors/actor.js';
import type { SimStore } from '../store/index.js';
import { writeTogether } from '../toolstack/records.js';
import type { World } from '../world/world.js';
import { worldNodes } from './nodes.js';

/** What stores contain when a world begins: tests begin thousands of times with the same one. */
const beginnings = new WeakMap<World, ReturnType<SimStore['copy']>>();

/** Gives a store what is in it when a world begins, before there is anyone who sees it. */
export async function begin(world: World, dom0: ActorStore, own: SimStore | undefined): Promise<void> {
  const known = own && beginnings.get(world);
  if (known) {
    own.begin(known);
    return;
  }
  await writeTogether(dom0, worldNodes(world));
  // A store already has it.
  if (world.dom0?.lacks?.includes('name')) await dom0.rm('/local/domain/0/name');
  if (own) beginnings.set(world, own.copy());
}
