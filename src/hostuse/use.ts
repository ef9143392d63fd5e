/** What the host does with a USB device: one use of it, in words. Pure. */
import type { Busid } from '../sysfs/busid.js';
import { escapeText } from '../sysfs/text.js';

/** A kind of use, the weightiest first. */
export type HostUseKind =
  | 'mounted'
  | 'swap'
  | 'btrfs'
  | 'exported'
  | 'default-route'
  | 'ssh'
  | 'kernel-console'
  | 'keyboard'
  | 'address'
  | 'route'
  | 'netns'
  | 'lvm'
  | 'crypt'
  | 'md'
  | 'multipath'
  | 'mapped'
  | 'loop'
  | 'member'
  | 'claimed'
  | 'usbfs'
  | 'held'
  | 'open'
  | 'sound'
  | 'inactive';

/** Whether a kind of use forbids lending, and its sentence. */
interface UseKind {
  readonly grade: 'refuse' | 'warn';
  readonly says: (name: string, of: string) => string;
}

/** What is known about each kind of use: whether it forbids lending, and its sentence. The first ones are told first. */
const USES: Readonly<Record<HostUseKind, UseKind>> = {
  mounted: { grade: 'refuse', says: (name, of) => `${name} on it is mounted at ${of}` },
  swap: { grade: 'refuse', says: (name) => `${name} on it is swap space in use` },
  btrfs: {
    grade: 'refuse',
    says: (name, of) =>
      `${name} on it is part of ${of === '' ? 'a mounted btrfs file system' : `the btrfs file system at ${of}`}`,
  },
  exported: { grade: 'refuse', says: (name, of) => `${name} on it is a disk of domain ${of}` },
  'default-route': { grade: 'refuse', says: (name) => `${name} on it carries the default route` },
  ssh: { grade: 'refuse', says: (name, of) => `${name} on it carries an SSH connection from ${of}` },
  'kernel-console': { grade: 'refuse', says: (name) => `${name} on it is a console of the kernel` },
  keyboard: { grade: 'refuse', says: () => "it is the host's only keyboard" },
  address: { grade: 'refuse', says: (name, of) => `${name} on it has the address ${of}` },
  route: { grade: 'refuse', says: (name, of) => `${name} on it has a route to ${of}` },
  netns: {
    grade: 'refuse',
    says: (name) => `the network interface of ${name} is in another network namespace`,
  },
  lvm: { grade: 'refuse', says: (name, of) => `${name} on it is part of the LVM volume ${of}` },
  crypt: { grade: 'refuse', says: (name, of) => `${name} on it is open as the encrypted volume ${of}` },
  md: { grade: 'refuse', says: (name, of) => `${name} on it is part of the RAID array ${of}` },
  multipath: { grade: 'refuse', says: (name, of) => `${name} on it is a path of the multipath device ${of}` },
  mapped: { grade: 'refuse', says: (name, of) => `${name} on it is part of ${of}` },
  loop: { grade: 'refuse', says: (name, of) => `${name} on it is behind the loop device ${of}` },
  member: { grade: 'refuse', says: (name, of) => `${name} on it is part of ${of}` },
  claimed: {
    grade: 'refuse',
    says: (name, of) => `${name} on it is in exclusive use by ${of === '' ? 'the kernel' : of}`,
  },
  usbfs: {
    grade: 'refuse',
    says: (_, of) => `it is claimed by ${of === '' ? 'a program' : of} through usbfs`,
  },
  held: { grade: 'refuse', says: (name, of) => `${name} on it is open in ${of}` },
  open: { grade: 'warn', says: (name, of) => `${name} on it is open in ${of}` },
  sound: { grade: 'warn', says: (name) => `${name} on it is playing or recording sound` },
  inactive: { grade: 'warn', says: (name, of) => `${name} on it belongs to ${of} that is not active` },
};

/** Every kind of use, the weightiest first. */
export const USE_KINDS = Object.keys(USES) as readonly HostUseKind[];

/** One use of a device by the host. Its texts are escaped: they are names and paths that others chose. */
export interface HostUse {
  readonly busid: Busid;
  readonly use: HostUseKind;
  /** What is used: `sdb1`, `enx0123`, `ttyUSB0`, the name of a volume on it. */
  readonly name: string;
  /** What for: a mount point, a volume, an address, a domain, a process. Absent where there is no more to say. */
  readonly of?: string;
  /** `sdb1 on it is mounted at /srv`: a sentence about the device, without its full stop. */
  readonly sentence: string;
  /** `refuse`: the host needs the device. `warn`: it may miss it. */
  readonly grade: 'refuse' | 'warn';
}

/** What is known about a use before it is put into words. */
interface UseFacts extends Pick<HostUse, 'busid' | 'use'> {
  readonly untrustedName: string;
  readonly untrustedOf?: string | undefined;
  /** The name is that of something above the device's own: a bridge over its network interface. */
  readonly isOver?: boolean;
}

/** Puts a use into words. */
export function describeUse({ busid, use, untrustedName, untrustedOf, isOver = false }: UseFacts): HostUse {
  const { grade, says } = USES[use];
  const [name, of] = [escapeText(untrustedName), escapeText(untrustedOf ?? '')];
  const words = says(name, of);
  // A bridge is not on the device; it would go on without it, but not with the same connections.
  const sentence = isOver ? words.replace(`${name} on it`, `${name} over it`) : words;
  return { busid, use, name, ...(of === '' ? {} : { of }), sentence, grade };
}

/** Uses in their order, each once: by device, then the weightiest first. */
export function sortUses(uses: readonly HostUse[], order: readonly Busid[]): HostUse[] {
  const keyOf = ({ busid, use, name, of = '' }: HostUse): string => [busid, use, name, of].join('\n');
  const once = new Map(uses.map((use) => [keyOf(use), use]));
  const byText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
  return [...once.values()].sort(
    (a, b) =>
      order.indexOf(a.busid) - order.indexOf(b.busid) ||
      USE_KINDS.indexOf(a.use) - USE_KINDS.indexOf(b.use) ||
      byText(a.name, b.name) ||
      byText(a.of ?? '', b.of ?? ''),
  );
}
