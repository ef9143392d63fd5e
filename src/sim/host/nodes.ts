/** Everything that is in xenstore when a world begins. */

import {
  controllerNodes,
  dom0Nodes,
  domainNodes,
  type Node,
  savedDriverNodes,
} from '../toolstack/records.js';
import { BACKENDS } from '../world/types.js';
import type { World } from '../world/world.js';

/** The nodes of a world, parents before what is in them. */
export function* worldNodes(world: World): Generator<Node> {
  yield* dom0Nodes(world.dom0);
  for (const domain of world.domains) yield* domainNodes(domain);
  const alive = new Set(world.domains.filter((domain) => domain.alive).map(({ domid }) => domid));
  for (const controller of world.controllers) {
    const { frontendState: _gone, ...headless } = controller;
    yield* controllerNodes(alive.has(controller.domid) ? controller : headless);
  }
  for (const saved of world.savedDrivers) yield* savedDriverNodes(saved);
  for (const { domid, backend } of world.orphanBackends) {
    // A path that someone else wrote is followed only if a backend can have it.
    const [, kind] = /^\/local\/domain\/0\/backend\/([a-z]+)\/\d+\/\d+$/.exec(backend) ?? [];
    if (BACKENDS.some((type) => type.backend === kind)) {
      yield [backend, '', `n0,r${domid}`];
      yield [`${backend}/state`, '6', `n0,r${domid}`];
    }
  }
}
