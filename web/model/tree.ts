/** The tree of the host as people see it: controllers, hubs, and what is in their sockets. Pure. */
import { socketOf } from './format.js';
import type { Device, Gone, Guest, Place } from './view.js';

/** Something in a socket. */
export interface Node {
  readonly busid: string;
  /** As people count them, from the controller: `1.5`. */
  readonly socket: string;
  /** Absent: nothing is plugged in there now. */
  readonly device?: Device | undefined;
  /** What was there. */
  readonly gone?: Gone | undefined;
  /** The guest's port that has it, or still names it. */
  readonly place?: Place | undefined;
  readonly children: readonly Node[];
  /** The sockets of a hub that nothing is plugged into, as people count them: `1.2`. */
  readonly free: readonly string[];
}

/** A USB controller of the host: a bus. */
export interface Bus {
  readonly bus: number;
  readonly root?: Device | undefined;
  readonly children: readonly Node[];
  readonly free: readonly string[];
}

/** Busids in the order of sockets: 3-2 before 3-10. */
export function compareBusids(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true });
}

/** The busid of the hub that a socket belongs to; undefined: the controller's own. */
function hubOf(busid: string): string | undefined {
  const dot = busid.lastIndexOf('.');
  return dot === -1 ? undefined : busid.slice(0, dot);
}

/** Builds the tree; what is in guests' ports and was pulled out is in it too. */
export function buildTree(
  devices: readonly Device[],
  gone: readonly Gone[],
  places: ReadonlyMap<string, Place>,
): readonly Bus[] {
  const roots = new Map<number, Device>();
  const found = new Map<string, Omit<Node, 'children' | 'free'>>();
  const put = (busid: string, more: Pick<Node, 'device' | 'gone'>): void => {
    found.set(busid, { busid, socket: socketOf(busid), place: places.get(busid), ...more });
  };
  for (const one of gone) put(one.busid, { gone: one });
  for (const busid of places.keys()) if (!found.has(busid)) put(busid, {});
  for (const device of devices) {
    if (device.kind === 'root-hub') roots.set(device.bus, device);
    else put(device.busid, { device });
  }
  // A USB 3 socket is a port of two hubs: what is plugged in is on one of them, and takes the other too.
  const others = new Set(devices.flatMap(({ peer }) => peer ?? []));
  const freeOf = (prefix: string, sockets = 0): string[] =>
    Array.from({ length: sockets }, (_, at) => `${prefix}${at + 1}`)
      .filter((busid) => !found.has(busid) && !others.has(busid as Device['busid']))
      .map(socketOf);
  const below = new Map<string, string[]>();
  for (const busid of found.keys()) {
    // What was behind a hub that is gone too stands in the controller's list.
    const hub = hubOf(busid);
    const parent = hub !== undefined && found.has(hub) ? hub : `bus ${busOf(busid)}`;
    below.set(parent, [...(below.get(parent) ?? []), busid]);
  }
  const childrenOf = (parent: string): Node[] =>
    (below.get(parent) ?? []).sort(compareBusids).map((busid) => {
      const node = found.get(busid)!;
      return { ...node, children: childrenOf(busid), free: freeOf(`${busid}.`, node.device?.sockets) };
    });
  const buses = new Set([...roots.keys(), ...[...found.keys()].map(busOf)]);
  return [...buses]
    .sort((one, other) => one - other)
    .map((bus) => {
      const root = roots.get(bus);
      return { bus, root, children: childrenOf(`bus ${bus}`), free: freeOf(`${bus}-`, root?.sockets) };
    });
}

function busOf(busid: string): number {
  return Number.parseInt(busid, 10);
}

/** Whether a node is what is looked for, or has it below. */
export function matches(node: Node, words: string): boolean {
  return isFound(textOf(node), words) || node.children.some((child) => matches(child, words));
}

/** Whether each of the words is in a text. */
export function isFound(text: string, words: string): boolean {
  const lower = text.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => lower.includes(word));
}

function textOf({ busid, device, gone, place }: Node): string {
  const { name = '', vendorId, productId, serial, usedBy } = device ?? ({} as Partial<Device>);
  return [busid, name, gone?.name, `${vendorId}:${productId}`, serial, usedBy, place?.guest.name].join(' ');
}

/** The text of a guest that is looked for. */
export function guestText({ domid, name = '', controllers }: Guest): string {
  const devices = controllers.flatMap(({ ports }) =>
    ports.flatMap(({ busid, device }) => [busid, device?.product]),
  );
  return [name, `domain ${domid}`, ...devices].join(' ');
}
