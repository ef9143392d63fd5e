/** What a simulated host does with its USB devices itself, and the files in which Linux shows that. */

import type { UseSpec } from './spec.js';
import { BLOCK_USES, blockEntries } from './use-blocks.js';
import { Entries, type Entry, type UsedDevice } from './use-entries.js';
import { networkEntries } from './use-network.js';

/** The classes of device files that processes have open, by the beginnings of their names below /dev. */
const CLASSES: readonly (readonly [start: RegExp, name: string])[] = [
  [/^tty/, 'tty'],
  [/^hidraw/, 'hidraw'],
  [/^video/, 'video4linux'],
  [/^input\//, 'input'],
  [/^snd\//, 'sound'],
  [/^usb\//, 'usbmisc'],
  [/^[^/]+$/, 'block'],
];

/** The kinds of uses that a world can have; of `usbfs` the driver of an interface says the same. */
export const USE_NAMES = [
  ...BLOCK_USES,
  'default-route',
  'ssh',
  'address',
  'route',
  'netns',
  'member',
  'kernel-console',
  'keyboard',
  'sound',
  'held',
  'open',
] as const;

/** All files by path (`proc/swaps`, `sys/class/net/eth0`), for the uses of these devices. */
export function useEntries(devices: readonly UsedDevice[]): ReadonlyMap<string, Entry> {
  const entries = new Entries();
  blockEntries(entries, devices);
  networkEntries(entries, devices);
  for (const device of devices) for (const use of device.uses) otherEntries(entries, device, use);
  return entries.map;
}

function otherEntries(entries: Entries, device: UsedDevice, { use, name, of = '' }: UseSpec): void {
  switch (use) {
    case 'netns':
      entries.folder(`sys/bus/usb/devices/${name}/net`);
      break;
    case 'kernel-console':
      entries.classed('tty', name, device);
      entries.append('proc/consoles', `${name.padEnd(20)} -W- (EC p a)    4:64\n`);
      break;
    case 'keyboard':
      entries.append(
        'proc/bus/input/devices',
        `I: Bus=0003 Vendor=0627 Product=0001 Version=0111\nN: Name="${name}"\nP: Phys=usb/input0\nS: Sysfs=/devices/sim/${device.busid}/input/input1\nH: Handlers=sysrq kbd leds event1 \nB: EV=120013\n\n`,
      );
      break;
    case 'sound':
      entries.classed('sound', name, device);
      entries.text(`proc/asound/${name}/pcm0p/sub0/status`, 'state: RUNNING\nowner_pid   : 807\n');
      break;
    case 'held':
    case 'open': {
      const [, command = of, pid = '1000'] = /^(.*) \((\d+)\)$/s.exec(of) ?? [];
      const kind = CLASSES.find(([start]) => start.test(name))?.[1];
      if (kind !== undefined) entries.classed(kind, name.slice(name.indexOf('/') + 1), device);
      entries.link(`proc/${pid}/fd/${entries.count}`, `/dev/${name}`);
      entries.text(`proc/${pid}/comm`, `${command}\n`);
      break;
    }
    default:
  }
}
