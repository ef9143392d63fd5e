/** Generated files about what the host does with its devices: true ones, of which parts are missing, wrong or hostile. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { HostFiles } from '../../src/hostuse/files.js';
import { HostUses } from '../../src/hostuse/index.js';
import { type Entry, kernelError, SimUsb, shortWorld } from '../../src/sim/index.js';
import { Sysfs } from '../../src/sysfs/index.js';
import { controlCharacter, type Dice, fuzz } from './fuzz.js';

const WORLD = shortWorld({
  devices: [
    {
      busid: '1-1',
      id: '46f4:0001',
      interfaces: ['08/06/50'],
      uses: [
        { use: 'mounted', name: 'sdb1', of: '/srv' },
        { use: 'swap', name: 'vg-a' },
        { use: 'lvm', name: 'sdb2', of: 'vg-a' },
        { use: 'md', name: 'sdb3', of: 'md0' },
        { use: 'btrfs', name: 'sdb4', of: '/data' },
        { use: 'loop', name: 'sdb5', of: 'loop1' },
        { use: 'inactive', name: 'sdb6', of: 'a ZFS pool' },
        { use: 'held', name: 'sdb7', of: 'dd (5)' },
      ],
    },
    {
      busid: '1-2',
      id: '0b95:1790',
      interfaces: ['02/06/00'],
      uses: [
        { use: 'member', name: 'enx1', of: 'br0' },
        { use: 'default-route', name: 'br0' },
        { use: 'address', name: 'br0', of: '10.0.0.2' },
        { use: 'ssh', name: 'br0', of: '10.0.0.9' },
        { use: 'address', name: 'enx1', of: 'fd00::2' },
        { use: 'ssh', name: 'enx1', of: 'fd00::9' },
        { use: 'netns', name: '1-2:1.0' },
        { use: 'route', name: 'enx1', of: 'fd01::/48' },
      ],
    },
    {
      busid: '1-3',
      id: '0627:0001',
      interfaces: ['03/01/01'],
      uses: [
        { use: 'keyboard', name: 'Keyboard' },
        { use: 'kernel-console', name: 'ttyUSB0' },
        { use: 'sound', name: 'card1' },
        { use: 'open', name: 'input/event5', of: 'Xorg (7)' },
      ],
    },
  ],
});

it('any files about the host make uses that can be printed, and no error', async () => {
  const usb = new SimUsb({ drivers: WORLD.drivers });
  for (const device of WORLD.devices) await usb.plug(device);
  const [devices, entries] = [await new Sysfs(usb.files).devices(), usb.useEntries()];
  await fuzz('files about the host', 600, async (dice) => {
    const uses = new HostUses(brokenFiles(entries, dice), { nowMs: () => 0, sleep: async () => undefined });
    const disks = [
      { domid: 3, device: '259:1' },
      { domid: 4, path: dice.text() },
    ];
    const exports = async () => disks;
    const found = await uses.usesOf(devices, { thorough: dice.chance(0.5), exports });
    assert.equal(controlCharacter(found), undefined);
    for (const { busid } of found) assert.ok(devices.some((device) => device.busid === busid));
  });
});

/** Each file and each answer may be wrong. */
function brokenFiles(entries: ReadonlyMap<string, Entry>, dice: Dice): HostFiles {
  const broken = new Map<string, Entry>();
  for (const [path, entry] of entries) {
    if (dice.chance(0.05)) continue;
    broken.set(path, dice.chance(0.85) ? entry : brokenEntry(entry, dice));
  }
  const find = (path: string): Entry => {
    if (dice.chance(0.01)) throw kernelError('EIO', 'read', path);
    const entry = broken.get(path);
    if (!entry) throw kernelError('ENOENT', 'open', path);
    return entry;
  };
  return {
    async readText(path) {
      const entry = find(path);
      return entry.kind === 'text' ? entry.text : dice.text();
    },
    async readLink(path) {
      const entry = find(path);
      return entry.kind === 'link' ? entry.target : dice.text();
    },
    async list(path) {
      const below = [...broken.keys()].filter((name) => name.startsWith(`${path}/`));
      const names = [...new Set(below.map((name) => name.slice(path.length + 1).split('/', 1)[0]!))];
      return dice.chance(0.03) ? [...names, dice.text()] : names;
    },
    isClaimed: async () => dice.chance(0.3),
    addresses: () => (dice.chance(0.2) ? [{ name: dice.text(), address: dice.text() }] : []),
  };
}

function brokenEntry(entry: Entry, dice: Dice): Entry {
  if (entry.kind === 'link') return { kind: 'link', target: dice.text() };
  if (entry.kind === 'folder') return { kind: 'text', text: dice.text() };
  const lines = entry.text.split('\n');
  lines[dice.int(lines.length)] = dice.chance(0.5) ? dice.text() : lines[0]!.slice(0, dice.int(40));
  const words = lines.join('\n').split(' ');
  if (dice.chance(0.5)) words[dice.int(words.length)] = dice.text();
  return { kind: 'text', text: words.join(' ') };
}
