/** Disks in use, as sysfs and /proc show them. */
import type { Entries, UsedDevice } from './use-entries.js';

/** By use: what the uuid of a device-mapper device begins with. */
const MAPPERS: Readonly<Record<string, string>> = {
  lvm: 'LVM-',
  crypt: 'CRYPT-LUKS2-',
  multipath: 'mpath-',
  mapped: 'other-',
};

/** What udev finds on a disk whose owner is not active. */
const SIGNATURES: Readonly<Record<string, string>> = {
  'an LVM volume group': 'LVM2_member',
  'a RAID array': 'linux_raid_member',
  'a ZFS pool': 'zfs_member',
  'a bcache': 'bcache',
  'a DRBD volume': 'drbd',
};

/** The uses of disks. */
export const BLOCK_USES = [
  'mounted',
  'swap',
  'btrfs',
  'exported',
  'lvm',
  'crypt',
  'md',
  'multipath',
  'mapped',
  'loop',
  'inactive',
] as const;

const isBlockUse = (use: string): boolean => (BLOCK_USES as readonly string[]).includes(use);

/** The uses by which something is made of a disk. */
const STACKED: ReadonlySet<string> = new Set(['md', ...Object.keys(MAPPERS)]);

/** The path of a disk's device file, or of a volume's: the volume is on the device, under the name it was given. */
export function diskPath({ uses }: UsedDevice, name: string): string {
  return uses.some(({ use, of }) => use in MAPPERS && of === name) ? `/dev/mapper/${name}` : `/dev/${name}`;
}

/** The files about the disks of these devices. */
export function blockEntries(entries: Entries, devices: readonly UsedDevice[]): void {
  const folders = new Map<string, string>();
  /** Makes a block device: a disk, or something made of disks, which may be of several USB devices. */
  const node = (name: string, device: UsedDevice): string => {
    const maker = device.uses.find(({ use, of }) => STACKED.has(use) && of === name);
    const key = maker ? `${maker.use} ${name}` : name;
    const known = folders.get(key);
    if (known !== undefined) return known;
    const isMapped = maker !== undefined && maker.use in MAPPERS;
    const own = isMapped ? `dm-${folders.size}` : name;
    const folder = entries.classed('block', own, maker ? undefined : device);
    folders.set(key, folder);
    entries.text(`${folder}/dev`, `259:${folders.size}\n`);
    entries.folder(`${folder}/holders`);
    if (isMapped) {
      entries.text(`${folder}/dm/name`, `${name}\n`);
      entries.text(`${folder}/dm/uuid`, `${MAPPERS[maker.use]}${folders.size}\n`);
    }
    return folder;
  };
  const numberOf = (folder: string): string => {
    const entry = entries.map.get(`${folder}/dev`);
    return entry?.kind === 'text' ? entry.text.trim() : '';
  };
  for (const device of devices) {
    for (const { use, name, of = '' } of device.uses) {
      if (!isBlockUse(use)) continue;
      const folder = node(name, device);
      const path = diskPath(device, name);
      const mount = (number: string, type: string): void =>
        entries.append(
          'proc/self/mountinfo',
          `41 26 ${number} / ${octal(of)} rw,relatime shared:1 - ${type} ${octal(path)} rw\n`,
        );
      if (use === 'mounted') mount(numberOf(folder), 'ext4');
      if (use === 'swap') {
        const head = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';
        entries.append('proc/swaps', `${octal(path)} partition\t65532\t\t0\t\t-2\n`, head);
      }
      if (use === 'btrfs') {
        const disk = folder.slice(folder.lastIndexOf('/') + 1);
        entries.folder(`sys/fs/btrfs/00000000-${entries.count}/devices/${disk}`);
        if (of !== '') mount(`0:${entries.count}`, 'btrfs');
      }
      if (use === 'loop') {
        const loop = entries.classed('block', of, undefined);
        entries.text(`${loop}/dev`, `7:${entries.count}\n`);
        entries.text(`${loop}/loop/backing_file`, `${path}\n`);
      }
      if (use === 'inactive')
        entries.text(`run/udev/data/b${numberOf(folder)}`, `E:ID_FS_TYPE=${SIGNATURES[of] ?? 'ext4'}\n`);
      if (STACKED.has(use)) {
        const holder = node(of, device);
        const holderName = holder.slice(holder.lastIndexOf('/') + 1);
        entries.link(`${folder}/holders/${holderName}`, `../../../../../virtual/block/${holderName}`);
      }
    }
  }
}

/** As the kernel escapes what it prints between blanks (`seq_file.c: mangle_path`). */
function octal(text: string): string {
  return text.replaceAll(
    /[ \t\n\\#]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
}
