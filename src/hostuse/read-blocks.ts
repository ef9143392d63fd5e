/** Reads what the kernel says about block devices, as far as they have to do with USB. */
import type { Busid } from '../sysfs/busid.js';
import { type Block, type BlockFacts, type DiskExport, isDisk } from './blocks.js';
import type { HostFiles } from './files.js';
import { type Mount, parseMountinfo, parseSwaps } from './mounts.js';
import { ownerOf, resolveLink } from './owner.js';
import { classPaths, closure, namesIn, textAt, valueAt } from './soft.js';

/** Links followed from the name of a device file to its node. */
const LINKS_MAX = 8;

/** What is read. */
interface BlockQuestion {
  readonly busids: ReadonlySet<Busid>;
  readonly exports: () => Promise<readonly DiskExport[]>;
  /** Also tries to open whole disks. */
  readonly thorough: boolean;
  /** Mounts that only other processes see. */
  readonly otherMounts: readonly Mount[];
}

/** The facts about the disks of these devices; undefined when they have none. */
export async function readBlockFacts(
  files: HostFiles,
  { busids, thorough, otherMounts, ...question }: BlockQuestion,
): Promise<BlockFacts | undefined> {
  const paths = await classPaths(files, 'block');
  const own = [...paths].flatMap(([name, path]) => {
    const busid = ownerOf(path);
    return busid !== undefined && busids.has(busid) ? name : [];
  });
  if (own.length === 0) return undefined;
  const loops = [...paths.keys()].filter((name) => /^loop\d+$/.test(name));
  const isOwn = new Set(own);
  const read = async (name: string): Promise<Block | undefined> => {
    const path = paths.get(name);
    return path === undefined
      ? undefined
      : readBlock(files, { name, path, isOwn: isOwn.has(name), thorough });
  };
  const [exports, blocks, mounts, initMounts, swaps, btrfs] = await Promise.all([
    question.exports(),
    closure([...own, ...loops], read, ({ holders }) => holders),
    textAt(files, 'proc/self/mountinfo'),
    // A service may not see mounts that the host has (ProtectHome=).
    textAt(files, 'proc/1/mountinfo'),
    textAt(files, 'proc/swaps'),
    readBtrfs(files),
  ]);
  const here = [...parseMountinfo(mounts), ...parseMountinfo(initMounts)];
  const swapped = parseSwaps(swaps);
  const named = [
    ...swapped,
    ...[...blocks.values()].flatMap(({ backing }) => backing ?? []),
    ...exports.flatMap(({ path }) => path ?? []),
    ...here.flatMap(({ type, untrustedSource }) => (type === 'btrfs' ? untrustedSource : [])),
  ];
  const names = new Map<string, string>();
  for (const path of new Set(named)) {
    const name = await nameOf(files, blocks, path);
    if (name !== undefined) names.set(path, name);
  }
  return {
    blocks,
    mounts: [...here, ...otherMounts],
    swaps: swapped,
    btrfs,
    exports,
    nameOf: (path) => names.get(path),
  };
}

async function readBlock(
  files: HostFiles,
  { name, path, isOwn, thorough }: Pick<Block, 'name' | 'path'> & { isOwn: boolean; thorough: boolean },
): Promise<Block | undefined> {
  const [device, holders, mapperName, mapperUuid, backing] = await Promise.all([
    valueAt(files, `${path}/dev`),
    namesIn(files, `${path}/holders`),
    valueAt(files, `${path}/dm/name`),
    valueAt(files, `${path}/dm/uuid`),
    name.startsWith('loop') ? valueAt(files, `${path}/loop/backing_file`) : undefined,
  ]);
  if (device === undefined) return undefined;
  const block = { name, path, device, holders };
  const signature = isOwn ? await readSignature(files, device) : undefined;
  const isClaimed = isOwn && thorough && isDisk(block) && (await files.isClaimed(`dev/${name}`));
  return {
    ...block,
    ...(mapperName === undefined ? {} : { mapper: { untrustedName: mapperName, uuid: mapperUuid ?? '' } }),
    ...(backing === undefined ? {} : { backing }),
    ...(signature === undefined ? {} : { signature }),
    ...(isClaimed ? { isClaimed } : {}),
  };
}

/** What udev found on a block device when it last looked. */
async function readSignature(files: HostFiles, device: string): Promise<string | undefined> {
  return /^E:ID_FS_TYPE=(\w+)$/m.exec(await textAt(files, `run/udev/data/b${device}`))?.[1];
}

/** The disks of each mounted btrfs, which may have several: mountinfo names only one. */
async function readBtrfs(files: HostFiles): Promise<(readonly string[])[]> {
  const folders = await namesIn(files, 'sys/fs/btrfs');
  const disks = await Promise.all(folders.map((uuid) => namesIn(files, `sys/fs/btrfs/${uuid}/devices`)));
  return disks.filter((names) => names.length > 0);
}

/** The kernel's name for a device file: `/dev/mapper/vg-root` and `/dev/disk/by-id/...` are links. */
async function nameOf(
  files: HostFiles,
  blocks: ReadonlyMap<string, Block>,
  path: string,
): Promise<string | undefined> {
  let at = path;
  for (let left = LINKS_MAX; left > 0 && at.startsWith('/dev/'); left--) {
    const target = await files.readLink(at.slice(1)).catch(() => undefined);
    if (target === undefined) break;
    at = target.startsWith('/') ? target : resolveLink(at, target);
  }
  if (!at.startsWith('/dev/')) return undefined;
  const name = at.slice('/dev/'.length);
  const mapped = [...blocks.values()].find(({ mapper }) => `mapper/${mapper?.untrustedName}` === name);
  return mapped?.name ?? name.replaceAll('/', '!');
}
