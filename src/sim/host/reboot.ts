/** A guest's reboot as libxl does it: the old domain is destroyed, a new one is built from the saved configuration. */

import type { WorldController, WorldDomain } from '../world/world.js';
import type { SimHost } from './host.js';

/** What becomes of a rebooting guest. */
export interface Reboot {
  /** The domain as it was. */
  readonly domain: WorldDomain;
  /** Its new number. */
  readonly domid: number;
  /** Its controllers, from the saved configuration; their devices come back only if they are in `ports`. */
  readonly controllers: readonly WorldController[];
}

/**
 * Reboots a guest of a host with a store of its own. libxl 4.17 leaves out the devices ("Device present in JSON but not
 * in xenstore, ignored", recorded).
 */
export async function rebootDomain(host: SimHost, { domain, domid, controllers }: Reboot): Promise<void> {
  host.store.shutDown(domain.domid);
  // Watchers hear of it before the toolstack has done anything.
  await new Promise((resolve) => setImmediate(resolve));
  await host.idle();
  await host.killDomain(domain.domid);
  await host.addDomain({ ...domain, domid });
  for (const controller of controllers) await host.addController({ ...controller, domid });
  await host.idle();
}
