/** Stores to measure on: real xenstoreds with a given number of domains, controllers and ports. */
import { systemClock } from '../src/async/index.js';
import type { Host } from '../src/pvusb/index.js';
import { controllerNodes, domainNodes, shortWorld, type World } from '../src/sim/index.js';
import { Sysfs, type SysfsFiles } from '../src/sysfs/index.js';
import { connectSocket, XenstoreClient } from '../src/xenstore/index.js';
import { type Daemon, startDaemon } from '../test/xenstored/daemon.js';

/** How much is in a store. */
export interface Size {
  readonly domains: number;
  readonly controllers: number;
  readonly ports: number;
}

/** A world of that size. Domain 1 is the first. */
export function worldOf(size: Size): World {
  const domids = Array.from({ length: size.domains }, (_, k) => k + 1);
  return shortWorld({
    domains: domids.map((domid) => ({ domid })),
    controllers: domids.flatMap((domid) =>
      Array.from({ length: size.controllers }, (_, devid) => ({ domid, devid, ports: size.ports })),
    ),
  });
}

/** Starts Debian's C xenstored with a store of this size. */
export async function startStore(size: Size): Promise<Daemon> {
  const daemon = await startDaemon('c');
  await using store = await connect(daemon.socket);
  const world = worldOf(size);
  for (const domain of world.domains) {
    const nodes = [
      ...domainNodes(domain),
      ...world.controllers.filter(({ domid }) => domid === domain.domid).flatMap(controllerNodes),
    ];
    // No permissions: nothing measured here depends on them.
    await Promise.all(
      nodes.map(([path, value]) => (value === '' ? store.mkdir(path) : store.write(path, value))),
    );
  }
  return daemon;
}

/** A client of a daemon's socket. */
export async function connect(socket: string): Promise<XenstoreClient> {
  return new XenstoreClient(await connectSocket(socket));
}

/** A host without USB devices: what is measured is xenstore. */
export function hostOn(xenstore: XenstoreClient): Host {
  return { xenstore, sysfs: new Sysfs(NO_FILES), clock: systemClock };
}

const NO_FILES: SysfsFiles = {
  list: async () => [],
  readBytes: (path) => Promise.reject(new Error(`${path} does not exist`)),
  readText: (path) => Promise.reject(new Error(`${path} does not exist`)),
  readLink: (path) => Promise.reject(new Error(`${path} does not exist`)),
  writeText: (path) => Promise.reject(new Error(`${path} does not exist`)),
};
