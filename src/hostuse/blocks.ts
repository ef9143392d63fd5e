/** What the host does with the disks of USB devices. Pure. */
import { posix } from 'node:path';
import type { Busid } from '../sysfs/busid.js';
import type { Mount } from './mounts.js';
import { ownerOf } from './owner.js';
import { describeUse, type HostUse, type HostUseKind } from './use.js';

/** A block device: a disk, a partition, or something made of others. */
export interface Block {
  /** The kernel's name for it: `sdb1`, `dm-0`. */
  readonly name: string;
  /** Its folder in sysfs. */
  readonly path: string;
  /** Major and minor number: `8:17`. */
  readonly device: string;
  /** What is made of it: names of other block devices. */
  readonly holders: readonly string[];
  /** Of a device-mapper device: its name, and its uuid, which begins with the name of the program that made it. */
  readonly mapper?: { readonly untrustedName: string; readonly uuid: string };
  /** Of a loop device: the file or device behind it. */
  readonly backing?: string;
  /** What udev has found on it: `LVM2_member`. */
  readonly signature?: string;
  /** The kernel has it for itself. Unknown unless that was tried. */
  readonly isClaimed?: boolean;
}

/** A disk of a guest: what xenstore says about it. */
export interface DiskExport {
  readonly domid: number;
  /** Major and minor number, `8:17`, when it is known. */
  readonly device?: string;
  /** The path of a device. */
  readonly path?: string;
}

/** All that is known about block devices. */
export interface BlockFacts {
  /** By name. */
  readonly blocks: ReadonlyMap<string, Block>;
  readonly mounts: readonly Mount[];
  /** Names of what is swapped to. */
  readonly swaps: readonly string[];
  /** The names of the disks of each mounted btrfs. */
  readonly btrfs: readonly (readonly string[])[];
  readonly exports: readonly DiskExport[];
  /** The kernel's name for each path that occurs above. */
  readonly nameOf: (path: string) => string | undefined;
}

/** By the first word of a device-mapper uuid (`dm-uuid` of lvm2, cryptsetup, multipath-tools). */
const MAPPERS: Readonly<Record<string, HostUseKind>> = { LVM: 'lvm', CRYPT: 'crypt', mpath: 'multipath' };

/** What the owners of signatures are called when nothing is made of their disks. */
const INACTIVE: Readonly<Record<string, string>> = {
  LVM2_member: 'an LVM volume group',
  linux_raid_member: 'a RAID array',
  zfs_member: 'a ZFS pool',
  bcache: 'a bcache',
  drbd: 'a DRBD volume',
};

/** Who claims a disk without any other trace. */
const CLAIMERS: Readonly<Record<string, string>> = { zfs_member: 'ZFS', drbd: 'DRBD' };

/** The uses of the disks of these devices. */
export function blockUses(facts: BlockFacts, busids: ReadonlySet<Busid>): HostUse[] {
  const own = [...facts.blocks.values()].flatMap((block) => {
    const busid = ownerOf(block.path);
    return busid !== undefined && busids.has(busid) ? { busid, block } : [];
  });
  return own.flatMap(({ busid, block }) => {
    const uses = usesOfBlock(facts, busid, block, new Set());
    if (uses.length > 0) return uses;
    if (block.isClaimed && !hasUsedPart(facts, busid, block))
      return say(busid, 'claimed', block, CLAIMERS[block.signature ?? '']);
    const owner = INACTIVE[block.signature ?? ''];
    return owner === undefined ? [] : say(busid, 'inactive', block, owner);
  });
}

/** A disk is claimed with each of its partitions: they tell why. */
function hasUsedPart(facts: BlockFacts, busid: Busid, disk: Block): boolean {
  return [...facts.blocks.values()].some(
    (block) =>
      block.path.startsWith(`${disk.path}/`) && usesOfBlock(facts, busid, block, new Set()).length > 0,
  );
}

/** The uses of a block device, and of everything that is made of it. */
function usesOfBlock(facts: BlockFacts, busid: Busid, block: Block, seen: Set<string>): HostUse[] {
  if (seen.has(block.name)) return [];
  seen.add(block.name);
  const { name, device } = block;
  const isIt = (path: string): boolean => facts.nameOf(path) === name;
  const mount = facts.mounts.find((other) => other.device === device);
  const loops = [...facts.blocks.values()].filter(
    ({ backing }) => backing?.startsWith('/dev/') && isIt(backing),
  );
  const isExported = (disk: DiskExport): boolean =>
    disk.device === device || (disk.path !== undefined && isIt(disk.path));
  const holders = block.holders.flatMap((holder) => facts.blocks.get(holder) ?? []);
  return [
    ...(mount ? say(busid, 'mounted', block, mount.untrustedAt) : []),
    ...(facts.swaps.some(isIt) ? say(busid, 'swap', block) : []),
    ...facts.btrfs
      .filter((disks) => disks.includes(name))
      .flatMap((disks) => say(busid, 'btrfs', block, btrfsMount(facts, disks)?.untrustedAt)),
    ...loops.flatMap((loop) => say(busid, 'loop', block, loop.name)),
    ...facts.exports.filter(isExported).flatMap(({ domid }) => say(busid, 'exported', block, String(domid))),
    ...holders.flatMap((holder) => [
      ...say(busid, holdingUse(holder), block, shownName(holder)),
      ...usesOfBlock(facts, busid, holder, seen),
    ]),
  ];
}

/** mountinfo names one of the disks, and has a device number of its own. */
function btrfsMount({ mounts, nameOf }: BlockFacts, disks: readonly string[]): Mount | undefined {
  return mounts.find(({ type, untrustedSource }) => {
    const name = type === 'btrfs' ? nameOf(untrustedSource) : undefined;
    return name !== undefined && disks.includes(name);
  });
}

function holdingUse({ name, mapper }: Block): HostUseKind {
  if (mapper) return MAPPERS[mapper.uuid.split('-', 1)[0]!] ?? 'mapped';
  return /^md[\d_]/.test(name) ? 'md' : 'mapped';
}

/** A volume is known by the name that it was given. */
function shownName({ name, mapper }: Block): string {
  return mapper?.untrustedName || name;
}

function say(busid: Busid, use: HostUseKind, block: Block, untrustedOf?: string): HostUse[] {
  return [describeUse({ busid, use, untrustedName: shownName(block), untrustedOf })];
}

/** Whether a block device is a whole disk, and not a partition of one. */
export function isDisk({ path }: Block): boolean {
  return posix.basename(posix.dirname(path)) === 'block';
}
