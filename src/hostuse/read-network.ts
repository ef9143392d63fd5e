/** Reads what the kernel says about network interfaces, as far as they have to do with USB. */
import type { Busid } from '../sysfs/busid.js';
import type { UsbDevice } from '../sysfs/device.js';
import type { HostFiles } from './files.js';
import type { NetworkFacts, Nic } from './network.js';
import { ownerOf } from './owner.js';
import { parseAddresses4, parseAddresses6, parseConnections, parseRoutes, parseRoutes6 } from './routes.js';
import { classPaths, closure, linkAt, namesIn, textAt } from './soft.js';

/** The facts about the network interfaces of these devices; undefined when they have none. */
export async function readNetworkFacts(
  files: HostFiles,
  devices: readonly UsbDevice[],
): Promise<NetworkFacts | undefined> {
  const busids = new Set(devices.map(({ busid }) => busid));
  const [paths, away] = await Promise.all([classPaths(files, 'net'), readAway(files, devices)]);
  const own = [...paths].flatMap(([name, path]) => {
    const busid = ownerOf(path);
    return busid !== undefined && busids.has(busid) ? name : [];
  });
  if (own.length === 0 && away.length === 0) return undefined;
  const nics = await closure(
    own,
    async (name) => {
      const path = paths.get(name);
      return path === undefined ? undefined : readNic(files, name, path);
    },
    ({ uppers, master }) => [...uppers, ...(master === undefined ? [] : [master])],
  );
  const [route, route6, inet6, trie, tcp, tcp6] = await Promise.all(
    ['route', 'ipv6_route', 'if_inet6', 'fib_trie', 'tcp', 'tcp6'].map((name) =>
      textAt(files, `proc/net/${name}`),
    ),
  );
  return {
    nics,
    away,
    routes: [...parseRoutes(route!), ...parseRoutes6(route6!)],
    addresses: [...files.addresses(), ...parseAddresses6(inet6!), ...parseAddresses4(trie!)],
    connections: [...parseConnections(tcp!), ...parseConnections(tcp6!)],
  };
}

async function readNic(files: HostFiles, name: string, path: string): Promise<Nic> {
  const [names, master] = await Promise.all([namesIn(files, path), linkAt(files, `${path}/master`)]);
  const uppers = names.flatMap((entry) => /^upper_(.+)$/.exec(entry)?.[1] ?? []);
  const inBridge = master?.slice(master.lastIndexOf('/') + 1);
  return { name, path, uppers, ...(inBridge === undefined ? {} : { master: inBridge }) };
}

/** An interface with a folder for network interfaces and none in it: a container or a guest's domain has it. */
async function readAway(
  files: HostFiles,
  devices: readonly UsbDevice[],
): Promise<{ busid: Busid; name: string }[]> {
  const all = devices.flatMap(({ busid, interfaces }) => interfaces.map(({ id }) => ({ busid, name: id })));
  const found = await Promise.all(
    all.map(({ name }) => files.list(`sys/bus/usb/devices/${name}/net`).catch(() => undefined)),
  );
  return all.filter((_, i) => found[i]?.length === 0);
}
