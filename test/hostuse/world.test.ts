/** What a world says that the host does with its devices is found in its files: in memory, and in a folder. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type HostUse, HostUses, USE_KINDS } from '../../src/hostuse/index.js';
import { publishSysfs, publishUses, SimHost, shortWorld, WorldError } from '../../src/sim/index.js';
import { Sysfs } from '../../src/sysfs/index.js';
import { usesIn } from './tree.js';

interface Said {
  readonly use: NonNullable<
    NonNullable<Parameters<typeof shortWorld>[0]['devices']>[number]['uses']
  >[number]['use'];
  readonly name: string;
  readonly of?: string;
}

/** Every kind of use in a world; several where one needs another. */
const WORLDS: readonly (readonly Said[])[] = [
  [{ use: 'mounted', name: 'sdb1', of: '/a b\\c' }],
  [{ use: 'swap', name: 'sdb2' }],
  [{ use: 'btrfs', name: 'sdb', of: '/data' }],
  [{ use: 'btrfs', name: 'sdb' }],
  [
    { use: 'mounted', name: 'vg-root', of: '/' },
    { use: 'lvm', name: 'sdb1', of: 'vg-root' },
  ],
  [
    { use: 'swap', name: 'secret' },
    { use: 'crypt', name: 'sdb1', of: 'secret' },
  ],
  [
    { use: 'mounted', name: 'md0', of: '/srv' },
    { use: 'md', name: 'sdb1', of: 'md0' },
  ],
  [{ use: 'multipath', name: 'sdb', of: 'mpatha' }],
  [{ use: 'mapped', name: 'sdb', of: 'odd' }],
  [{ use: 'loop', name: 'sdb2', of: 'loop3' }],
  [{ use: 'inactive', name: 'sdb2', of: 'a ZFS pool' }],
  [{ use: 'default-route', name: 'enx1' }],
  [
    { use: 'ssh', name: 'enx1', of: '10.0.2.5' },
    { use: 'address', name: 'enx1', of: '10.0.2.15' },
  ],
  [
    { use: 'ssh', name: 'enx1', of: 'fd00::5' },
    { use: 'address', name: 'enx1', of: 'fd00::2' },
  ],
  [{ use: 'route', name: 'enx1', of: '10.0.2.0/24' }],
  [{ use: 'route', name: 'enx1', of: 'fd00::/64' }],
  [
    { use: 'default-route', name: 'br0' },
    { use: 'member', name: 'enx1', of: 'br0' },
  ],
  [{ use: 'netns', name: '1-1:1.0' }],
  [{ use: 'kernel-console', name: 'ttyUSB0' }],
  [{ use: 'keyboard', name: 'A Keyboard' }],
  [{ use: 'sound', name: 'card1' }],
  [{ use: 'held', name: 'ttyUSB0', of: 'agetty (9)' }],
  [{ use: 'open', name: 'input/event5', of: 'Xorg (7)' }],
];

function worldOf(uses: readonly Said[]) {
  return shortWorld({
    devices: [{ busid: '1-1', id: '46f4:0001', interfaces: ['08/06/50'], uses: [...uses] }],
  });
}

const brief = ({ use, name, of }: HostUse): Said =>
  ({ use, name, ...(of === undefined ? {} : { of: of.replaceAll('\\\\', '\\') }) }) as Said;

async function published(test: TestContext, uses: readonly Said[]) {
  const sim = await SimHost.create(worldOf(uses));
  const dir = mkdtempSync(join(tmpdir(), 'pvusb-uses-'));
  const parts = [sim, await publishSysfs(sim.usb, dir), publishUses(sim.usb, dir)];
  const close = async (): Promise<void> => {
    for (const part of parts.reverse()) await part.close();
  };
  test.after(() => rmSync(dir, { recursive: true, force: true }));
  return { sim, dir, close };
}

describe('what the host of a world does', () => {
  for (const uses of WORLDS) {
    it(uses.map(({ use, name }) => `${use} ${name}`).join(', '), async (test) => {
      const { sim, dir, close } = await published(test, uses);
      const devices = await new Sysfs(sim.usb.files).devices();
      const sticks = devices.filter(({ busid }) => busid === '1-1');
      const inMemory = await new HostUses(sim.usb.hostFiles).usesOf(sticks, { thorough: true });
      const asFiles = await usesIn(dir, sticks, { thorough: true });
      await close();
      assert.deepEqual(asFiles, inMemory);
      assert.deepEqual(inMemory.map(brief), uses);
    });
  }

  it('is every kind of use, except what the driver usbfs and xenstore say, and what only a real disk shows', () => {
    const tried = new Set(WORLDS.flat().map(({ use }) => use));
    assert.deepEqual(
      USE_KINDS.filter((kind) => !tried.has(kind as Said['use'])),
      ['exported', 'claimed', 'usbfs'],
    );
  });

  it('ends when a driver lets go, and does not come back with it', async (test) => {
    const { sim, dir, close } = await published(test, WORLDS[4]!);
    const devices = await new Sysfs(sim.usb.files).devices();
    assert.equal((await usesIn(dir, devices)).length, 2);
    await sim.usb.unbind('usb-storage', '1-1:1.0');
    assert.deepEqual(await usesIn(dir, devices), []);
    await sim.usb.bind('usb-storage', '1-1:1.0');
    assert.deepEqual(await usesIn(dir, devices), []);
    await close();
    assert.equal(existsSync(join(dir, 'sys')), false);
    assert.deepEqual(readdirSync(dir), []);
  });

  it('ends when the device is pulled out', async (test) => {
    const { sim, dir, close } = await published(test, WORLDS[0]!);
    const devices = await new Sysfs(sim.usb.files).devices();
    await sim.unplug('1-1');
    assert.deepEqual(await usesIn(dir, devices), []);
    await close();
  });

  it('has names that are names', () => {
    for (const [use, name, of] of [
      ['mounted', '../../etc', '/srv'],
      ['mounted', 'a/../b', '/srv'],
      ['mounted', 'sdb1', undefined],
      ['mounted', 'sdb1', ''],
      ['mounted', 'x'.repeat(129), '/srv'],
      ['md', 'sdb1', '../md0'],
      ['member', 'enx1', '..'],
      ['loop', 'sdb1', 'a/b'],
    ] as const)
      assert.throws(() => worldOf([{ use, name, ...(of === undefined ? {} : { of }) }]), WorldError, name);
  });
});
