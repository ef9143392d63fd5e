/** What the host does with the network interfaces of USB devices. Pure. */
import type { Busid } from '../sysfs/busid.js';
import { ownerOf } from './owner.js';
import { type Address, type Connection, canonical, isIn, type Route } from './routes.js';
import { describeUse, type HostUse, type HostUseKind } from './use.js';

/** A network interface. */
export interface Nic {
  readonly name: string;
  /** Its folder in sysfs. */
  readonly path: string;
  /** The bridge, bond or team that it is in. */
  readonly master?: string;
  /** What is built on it: also VLANs and macvlans. */
  readonly uppers: readonly string[];
}

/** All that is known about the network. */
export interface NetworkFacts {
  /** By name. */
  readonly nics: ReadonlyMap<string, Nic>;
  readonly routes: readonly Route[];
  readonly addresses: readonly Address[];
  readonly connections: readonly Connection[];
  /** Interfaces of USB devices whose network interface is not here: it is in another namespace. */
  readonly away: readonly { readonly busid: Busid; readonly name: string }[];
}

/** Where sshd listens. */
const SSH_PORT = 22;

/** The uses of the network interfaces of these devices. */
export function networkUses(facts: NetworkFacts, busids: ReadonlySet<Busid>): HostUse[] {
  const own = [...facts.nics.values()].flatMap((nic) => {
    const busid = ownerOf(nic.path);
    return busid !== undefined && busids.has(busid) ? { busid, nic } : [];
  });
  return [
    ...own.flatMap(({ busid, nic }) => usesOfNic(facts, busid, nic, new Set())),
    ...facts.away
      .filter(({ busid }) => busids.has(busid))
      .map(({ busid, name }) => describeUse({ busid, use: 'netns', untrustedName: name })),
  ];
}

/** The uses of an interface, and of all that is built on it: a bridge has the address and the route of its ports. */
function usesOfNic(facts: NetworkFacts, busid: Busid, nic: Nic, seen: Set<string>): HostUse[] {
  const { name } = nic;
  if (seen.has(name)) return [];
  const isOver = seen.size > 0;
  seen.add(name);
  const say = (use: HostUseKind, untrustedOf?: string): HostUse =>
    describeUse({ busid, use, untrustedName: name, untrustedOf, isOver });
  const routes = facts.routes.filter((route) => route.name === name);
  const isDefault = routes.some((route) => route.isDefault);
  const addresses = facts.addresses.filter((address) => nicOf(facts, address) === name);
  const local = new Set(addresses.map(({ address }) => canonical(address)));
  const peers = facts.connections
    .filter(({ localPort, local: at }) => localPort === SSH_PORT && local.has(canonical(at)))
    .map(({ remote }) => remote);
  const others = isDefault || addresses.length > 0 ? [] : routes.slice(0, 1);
  const uppers = [...new Set([...nic.uppers, ...(nic.master === undefined ? [] : [nic.master])])];
  return [
    ...(isDefault ? [say('default-route')] : []),
    ...peers.map((peer) => say('ssh', peer)),
    ...[...local].map((address) => say('address', address)),
    ...others.map(({ network }) => say('route', network)),
    ...uppers.flatMap((upper) => {
      const there = facts.nics.get(upper);
      const above = there ? usesOfNic(facts, busid, there, seen) : [];
      // A VLAN that nobody uses is no use; a bridge is, whatever is known about it.
      return upper === nic.master || above.length > 0 ? [say('member', upper), ...above] : [];
    }),
  ];
}

/** The interface that has an address: the one that says so, or the one whose network it is in. */
function nicOf({ routes, addresses }: NetworkFacts, { name, address }: Address): string | undefined {
  if (name !== undefined) return isLinkLocal(address) ? undefined : name;
  // The same address may be known with its interface.
  if (addresses.some((other) => other.name !== undefined && other.address === address)) return undefined;
  const connected = routes.filter((route) => route.isConnected && isIn(address, route.network));
  const lengthOf = ({ network }: Route): number => Number(network.split('/')[1]);
  // Two with the same network: either, but always the same one.
  return connected.toSorted((a, b) => lengthOf(b) - lengthOf(a) || (a.name < b.name ? -1 : 1))[0]?.name;
}

/** Every interface that is up has one. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address) && address.includes(':');
}
