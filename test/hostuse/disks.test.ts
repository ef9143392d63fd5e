/** What the host does with disks: every way in which Linux shows it, as trees of files. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DiskExport } from '../../src/hostuse/index.js';
import { block, device, held, mapper, type Tree, told, usesIn, writeTrees } from './tree.js';

/** A stick with two partitions, sdb, and another one, sdc, behind a hub. */
const STICKS: Tree = {
  ...block('sdb', '8:16', '1-1'),
  ...block('sdb1', '8:17', '1-1'),
  ...block('sdb2', '8:18', '1-1'),
  ...block('sdc', '8:32', '3-5.1'),
  ...block('sda', '8:0'),
};

const DEVICES = [device('1-1'), device('3-5'), device('3-5.1')];

const mountinfo = (...lines: readonly string[]): Tree => ({
  'proc/self/mountinfo': `21 1 8:1 / / rw - ext4 /dev/sda1 rw\n${lines.join('\n')}\n`,
});

interface Row {
  readonly trees: readonly Tree[];
  readonly exports?: readonly DiskExport[];
  readonly thorough?: boolean;
  readonly told: readonly string[];
}

const ROWS: Readonly<Record<string, Row>> = {
  nothing: { trees: [mountinfo()], told: [] },
  'a mounted partition': {
    trees: [mountinfo('41 21 8:17 / /srv rw,relatime shared:1 - ext4 /dev/sdb1 rw')],
    told: ['1-1 refuse mounted: sdb1 on it is mounted at /srv'],
  },
  'a mounted whole disk, on a stick behind a hub': {
    trees: [mountinfo('41 21 8:32 / /mnt/a\\040b\\134c rw - vfat /dev/sdc rw')],
    told: ['3-5.1 refuse mounted: sdc on it is mounted at /mnt/a b\\\\c'],
  },
  'a mount point with a terminal escape in its name': {
    trees: [mountinfo('41 21 8:17 / /mnt/\x1b[2J\\012x rw - ext4 /dev/sdb1 rw')],
    told: ['1-1 refuse mounted: sdb1 on it is mounted at /mnt/\\x1b[2J\\x0ax'],
  },
  'the root of the host': {
    trees: [{ 'proc/self/mountinfo': '21 1 8:17 / / rw - ext4 /dev/root rw\n' }],
    told: ['1-1 refuse mounted: sdb1 on it is mounted at /'],
  },
  'a mount that only init sees (ProtectHome=)': {
    trees: [mountinfo(), { 'proc/1/mountinfo': '41 21 8:17 / /home rw - ext4 /dev/sdb1 rw\n' }],
    told: ['1-1 refuse mounted: sdb1 on it is mounted at /home'],
  },
  'a swap partition': {
    trees: [{ 'proc/swaps': 'Filename\tType\tSize\tUsed\tPriority\n/dev/sdb2 partition\t65532\t0\t-2\n' }],
    told: ['1-1 refuse swap: sdb2 on it is swap space in use'],
  },
  'an LVM volume with a file system, and one with swap, named by their links': {
    trees: [
      held('sdb1', '1-1', 'dm-0'),
      held('sdb1', '1-1', 'dm-1'),
      mapper('dm-0', '253:0', 'vg-srv', 'LVM-abc'),
      mapper('dm-1', '253:1', 'vg-swap', 'LVM-def'),
      mountinfo('41 21 253:0 / /srv rw - ext4 /dev/mapper/vg-srv rw'),
      { 'proc/swaps': 'Filename Type\n/dev/mapper/vg-swap partition 1 0 -2\n' },
      { 'dev/mapper/vg-swap': '-> ../dm-1' },
    ],
    told: [
      '1-1 refuse mounted: vg-srv on it is mounted at /srv',
      '1-1 refuse swap: vg-swap on it is swap space in use',
      '1-1 refuse lvm: sdb1 on it is part of the LVM volume vg-srv',
      '1-1 refuse lvm: sdb1 on it is part of the LVM volume vg-swap',
    ],
  },
  'swap on a volume without links in /dev/mapper': {
    trees: [
      held('sdb1', '1-1', 'dm-1'),
      mapper('dm-1', '253:1', 'vg-swap', 'LVM-def'),
      { 'proc/swaps': 'Filename Type\n/dev/dm-1 partition 1 0 -2\n' },
    ],
    told: [
      '1-1 refuse swap: vg-swap on it is swap space in use',
      '1-1 refuse lvm: sdb1 on it is part of the LVM volume vg-swap',
    ],
  },
  'a physical volume whose volumes are not active: only what udev has found': {
    trees: [{ 'run/udev/data/b8:17': 'S:x\nE:ID_FS_TYPE=LVM2_member\n' }],
    told: ['1-1 warn inactive: sdb1 on it belongs to an LVM volume group that is not active'],
  },
  'an open LUKS volume': {
    trees: [held('sdb1', '1-1', 'dm-0'), mapper('dm-0', '253:0', 'secret', 'CRYPT-LUKS2-abc-secret')],
    told: ['1-1 refuse crypt: sdb1 on it is open as the encrypted volume secret'],
  },
  'a closed LUKS volume: nobody uses it': {
    trees: [{ 'run/udev/data/b8:17': 'E:ID_FS_TYPE=crypto_LUKS\n' }],
    told: [],
  },
  'a RAID array over two sticks, mounted': {
    trees: [
      held('sdb1', '1-1', 'md0'),
      held('sdc', '3-5.1', 'md0'),
      block('md0', '9:0'),
      mountinfo('41 21 9:0 / /srv rw - ext4 /dev/md0 rw'),
    ],
    told: [
      '1-1 refuse mounted: md0 on it is mounted at /srv',
      '1-1 refuse md: sdb1 on it is part of the RAID array md0',
      '3-5.1 refuse mounted: md0 on it is mounted at /srv',
      '3-5.1 refuse md: sdc on it is part of the RAID array md0',
    ],
  },
  'a stopped RAID array': {
    trees: [{ 'run/udev/data/b8:17': 'E:ID_FS_TYPE=linux_raid_member\n' }],
    told: ['1-1 warn inactive: sdb1 on it belongs to a RAID array that is not active'],
  },
  'a btrfs on two sticks, of which mountinfo names one': {
    trees: [
      { 'sys/fs/btrfs/0a0b/devices/sdb/': '', 'sys/fs/btrfs/0a0b/devices/sdc/': '' },
      { 'sys/fs/btrfs/features/raid56': '0\n' },
      mountinfo('41 21 0:33 /sub /data rw - btrfs /dev/sdb rw'),
    ],
    told: [
      '1-1 refuse btrfs: sdb on it is part of the btrfs file system at /data',
      '3-5.1 refuse btrfs: sdc on it is part of the btrfs file system at /data',
    ],
  },
  'a btrfs that was mounted by a name unknown here': {
    trees: [{ 'sys/fs/btrfs/0a0b/devices/sdb/': '' }, mountinfo('41 21 0:33 / /data rw - btrfs LABEL=x rw')],
    told: ['1-1 refuse btrfs: sdb on it is part of a mounted btrfs file system'],
  },
  'a loop device over a partition': {
    trees: [block('loop3', '7:3'), { 'sys/devices/virtual/block/loop3/loop/backing_file': '/dev/sdb2\n' }],
    told: ['1-1 refuse loop: sdb2 on it is behind the loop device loop3'],
  },
  'a loop device over a file on a mounted partition: the mount tells': {
    trees: [
      block('loop3', '7:3'),
      { 'sys/devices/virtual/block/loop3/loop/backing_file': '/srv/sdb1\n' },
      mountinfo('41 21 8:17 / /srv rw - ext4 /dev/sdb1 rw'),
    ],
    told: ['1-1 refuse mounted: sdb1 on it is mounted at /srv'],
  },
  'a disk that blkback exports, by its numbers': {
    trees: [],
    exports: [{ domid: 3, device: '8:16' }],
    told: ['1-1 refuse exported: sdb on it is a disk of domain 3'],
  },
  'a volume that QEMU exports, by a link': {
    trees: [
      held('sdb1', '1-1', 'dm-0'),
      mapper('dm-0', '253:0', 'vg-guest', 'LVM-abc'),
      { 'dev/vg/guest': '-> ../dm-0' },
    ],
    exports: [{ domid: 4, path: '/dev/vg/guest' }],
    told: [
      '1-1 refuse exported: vg-guest on it is a disk of domain 4',
      '1-1 refuse lvm: sdb1 on it is part of the LVM volume vg-guest',
    ],
  },
  'an exported disk that is not on USB': { trees: [], exports: [{ domid: 3, device: '8:0' }], told: [] },
  'a path of a multipath device': {
    trees: [held('sdb', '1-1', 'dm-0'), mapper('dm-0', '253:0', 'mpatha', 'mpath-3600')],
    told: ['1-1 refuse multipath: sdb on it is a path of the multipath device mpatha'],
  },
  'a bcache, and a mapping of a program unknown here': {
    trees: [
      held('sdb1', '1-1', 'bcache0'),
      block('bcache0', '252:0'),
      held('sdb2', '1-1', 'dm-0'),
      mapper('dm-0', '253:0', 'odd', 'OTHER-1'),
    ],
    told: [
      '1-1 refuse mapped: sdb1 on it is part of bcache0',
      '1-1 refuse mapped: sdb2 on it is part of odd',
    ],
  },
  'holders in a circle': {
    trees: [
      held('sdb', '1-1', 'dm-0'),
      mapper('dm-0', '253:0', 'a', 'LVM-1'),
      { 'sys/devices/virtual/block/dm-0/holders/dm-0': '-> x' },
    ],
    told: [
      '1-1 refuse lvm: a on it is part of the LVM volume a',
      '1-1 refuse lvm: sdb on it is part of the LVM volume a',
    ],
  },
  'a mount that only a container sees': {
    thorough: true,
    trees: [
      mountinfo(),
      { 'proc/self/ns/mnt': '-> mnt:[1]', 'proc/1/ns/mnt': '-> mnt:[1]', 'proc/77/ns/mnt': '-> mnt:[2]' },
      { 'proc/78/ns/mnt': '-> mnt:[2]', 'proc/78/mountinfo': 'not asked, it is the same namespace' },
      { 'proc/77/mountinfo': '41 21 8:17 / /x rw - ext4 /dev/sdb1 rw\n', 'proc/77/comm': 'box\n' },
    ],
    told: ['1-1 refuse mounted: sdb1 on it is mounted at /x in the mount namespace of box (77)'],
  },
  'a program that has a partition open, and its child': {
    thorough: true,
    trees: [
      { 'proc/5/fd/3': '-> /dev/sdb1', 'proc/5/fd/4': '-> /dev/sdb1', 'proc/5/comm': 'dd\n' },
      { 'proc/6/fd/0': '-> /dev/sdb1', 'proc/6/comm': 'sh\n', 'proc/7/fd/0': '-> /dev/sdb10' },
    ],
    told: ['1-1 refuse held: sdb1 on it is open in dd (5), sh (6)'],
  },
};

describe('the disks of USB devices', () => {
  for (const [name, { trees, exports = [], thorough = false, told: expected }] of Object.entries(ROWS)) {
    it(`${name}`, async (test) => {
      const root = writeTrees(test, STICKS, ...trees);
      const uses = await usesIn(root, DEVICES, { exports: async () => exports, thorough });
      assert.deepEqual(uses.map(told), expected);
    });
  }

  it('are not looked at for other devices than those asked about', async (test) => {
    const root = writeTrees(test, STICKS, mountinfo('41 21 8:17 / /srv rw - ext4 /dev/sdb1 rw'));
    assert.deepEqual(await usesIn(root, [device('3-5')]), []);
    assert.deepEqual(await usesIn(root, []), []);
  });

  it('are not searched for open files in a list', async (test) => {
    const root = writeTrees(test, STICKS, { 'proc/5/fd/3': '-> /dev/sdb1', 'proc/5/comm': 'dd\n' });
    assert.deepEqual(await usesIn(root, DEVICES), []);
  });
});
