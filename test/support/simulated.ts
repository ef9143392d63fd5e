/** A simulated host, and the product's view of it. */
import { systemClock } from '../../src/async/index.js';
import type { Host } from '../../src/pvusb/index.js';
import { labWorld, SimHost, type World } from '../../src/sim/index.js';
import { Sysfs } from '../../src/sysfs/index.js';
import { XenstoreClient } from '../../src/xenstore/index.js';
import { qemusOf } from './qemus.js';

/** A simulated host with a client of the product on it. */
export interface Simulated extends AsyncDisposable {
  readonly sim: SimHost;
  readonly host: Host;
}

/** Starts a world (the recorded one unless given) and connects to it. */
export async function simulate(world: World = labWorld()): Promise<Simulated> {
  const sim = await SimHost.create(world);
  const open = (): XenstoreClient => new XenstoreClient(sim.store.connect(0));
  const xenstore = open();
  const host: Host = {
    xenstore,
    sysfs: new Sysfs(sim.usb.files),
    qemu: qemusOf(sim, systemClock),
    clock: systemClock,
    reopen: async () => open(),
  };
  return {
    sim,
    host,
    async [Symbol.asyncDispose]() {
      xenstore.close();
      await sim.close();
    },
  };
}
