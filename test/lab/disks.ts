/** What a host makes of disks: shell commands in dom0, with the disk of a stick of 16 MiB in `$disk`. */

/** A use of a disk. */
interface DiskUse {
  /** `a stick with swap space`. */
  readonly title: string;
  readonly begin: string;
  /** What pvusb says of it; `DISK` stands for the disk. */
  readonly says: readonly string[];
  readonly end: string;
  /** What pvusb says of it after that, when it lends it. */
  readonly warns?: string;
  /** Removes what is still on the disk, of which the host may have made something again when it got it back. */
  readonly wipe: string;
}

const MAKE_VOLUME =
  'pvcreate -q -y -ff $disk; vgcreate -q -s 1m labvg $disk; lvcreate -q -y -l 8 -n data labvg';
const VOLUME = {
  warns: 'DISK on it belongs to an LVM volume group that is not active',
  wipe: 'vgremove -q -ff -y labvg; pvremove -q -y $disk',
};
const PASSWORD = 'printf secret | cryptsetup';
const SMALL =
  '--luks2-metadata-size=16k --luks2-keyslots-size=512k --pbkdf=pbkdf2 --pbkdf-force-iterations=1000';

/** The uses that sysfs and /proc show each in its own way. `DISK_MODULES` have to be loaded. */
export const DISK_USES: readonly DiskUse[] = [
  {
    title: 'a stick with swap space',
    begin: 'mkswap $disk; swapon $disk',
    says: ['DISK on it is swap space in use'],
    end: 'swapoff $disk',
    wipe: 'wipefs -a $disk',
  },
  {
    title: 'a stick with an active LVM volume',
    begin: MAKE_VOLUME,
    says: ['DISK on it is part of the LVM volume labvg-data'],
    end: 'vgchange -q -an labvg',
    ...VOLUME,
  },
  {
    title: 'a stick with a mounted LVM volume',
    begin: `${MAKE_VOLUME}; busybox mkdosfs /dev/labvg/data; mount /dev/labvg/data /mnt`,
    says: ['labvg-data on it is mounted at /mnt', 'DISK on it is part of the LVM volume labvg-data'],
    end: 'umount /mnt; vgchange -q -an labvg',
    ...VOLUME,
  },
  {
    title: 'a stick with an open encrypted volume',
    begin: `${PASSWORD} luksFormat -q ${SMALL} $disk -; ${PASSWORD} open $disk labcrypt -`,
    says: ['DISK on it is open as the encrypted volume labcrypt'],
    end: 'cryptsetup close labcrypt',
    wipe: 'wipefs -a $disk',
  },
  {
    title: 'a stick with swap space on an encrypted volume',
    begin: `${PASSWORD} luksFormat -q ${SMALL} $disk -; ${PASSWORD} open $disk labcrypt -
            mkswap /dev/mapper/labcrypt; swapon /dev/mapper/labcrypt`,
    says: ['labcrypt on it is swap space in use', 'DISK on it is open as the encrypted volume labcrypt'],
    end: 'swapoff /dev/mapper/labcrypt; cryptsetup close labcrypt',
    wipe: 'wipefs -a $disk',
  },
  {
    title: 'a stick in a RAID array that lacks its other disk',
    begin: 'mdadm --create /dev/md5 --run --metadata=1.2 --level=1 -n2 $disk missing',
    says: ['DISK on it is part of the RAID array md5'],
    end: 'mdadm --stop /dev/md5',
    warns: 'DISK on it belongs to a RAID array that is not active',
    wipe: 'mdadm --stop --scan; mdadm --zero-superblock $disk',
  },
  {
    title: 'a stick that is the second disk of a mounted btrfs',
    begin: `truncate -s 128M /tmp/first; losetup /dev/loop0 /tmp/first
            mkfs.btrfs -q -f --mixed -d single -m single /dev/loop0 $disk; mount /dev/loop0 /mnt`,
    says: ['DISK on it is part of the btrfs file system at /mnt'],
    end: 'umount /mnt; losetup -d /dev/loop0',
    wipe: 'wipefs -a $disk; rm /tmp/first',
  },
];

/** Kernel modules of these uses. */
export const DISK_MODULES = 'loop dm-mod dm-crypt algif_skcipher xts raid1 btrfs';
