/** The fact that a device is in no port of any domain. Pure. */
import type { Busid } from '../../sysfs/index.js';
import { allPorts, hostControllers } from '../model/find.js';
import type { Inventory } from '../model/inventory.js';
import { type ControllerId, portPath } from '../model/layout.js';
import type { UnclaimedFact } from '../model/plan.js';

/**
 * What a transaction checks again: every port there is, and that there are no others. A controller that the same
 * plan makes (`created`) is expected.
 */
export function unclaimedFact(inventory: Inventory, busid: Busid, created?: ControllerId): UnclaimedFact {
  const own = created ? [{ domid: created.domid, devid: created.devid }] : [];
  return {
    fact: 'unclaimed',
    busid,
    domids: inventory.domains.map(({ domid }) => domid),
    controllers: [...inventory.controllers.map(({ domid, devid }) => ({ domid, devid })), ...own],
    ports: hostControllers(inventory).flatMap((controller) => {
      const { portsAt } = controller;
      return portsAt === undefined ? [] : allPorts(controller).map(({ port }) => portPath(portsAt, port));
    }),
  };
}
