/** What programs do with USB devices: claims through usbfs, open device files, sound. Pure. */
import type { Busid } from '../sysfs/busid.js';
import type { UsbDevice } from '../sysfs/device.js';
import { describeUse, type HostUse } from './use.js';

/** A device file of a USB device. */
export interface DeviceFile {
  readonly busid: Busid;
  /** `/dev/ttyUSB0`. */
  readonly path: string;
  /** The class that it is of: `tty`; `usb` for the file of the device as a whole. */
  readonly kind: string;
}

/** A process that has a device file open. */
export interface Holder {
  readonly path: string;
  readonly pid: number;
  readonly untrustedCommand: string;
}

/** Open files of these classes cannot be taken away without harm: data, a session, the UPS. Others are held for ever. */
const HARMFUL = new Set(['block', 'tty', 'hiddev']);

/** A class of interfaces: smart-card readers. */
const SMART_CARD = '0b/';

/** Processes named in one sentence. */
const NAMED_MAX = 3;

/** Devices that a program has claimed; who it is, if the open files are known. */
export function claimUses(
  devices: readonly UsbDevice[],
  files: readonly DeviceFile[],
  holders: readonly Holder[],
): HostUse[] {
  return devices.flatMap(({ busid, interfaces }) => {
    const claimed = interfaces.find(({ driver }) => driver === 'usbfs');
    if (!claimed) return [];
    const file = files.find((other) => other.busid === busid && other.kind === 'usb');
    const untrustedOf = nameHolders(holders.filter(({ path }) => path === file?.path));
    return [describeUse({ busid, use: 'usbfs', untrustedName: claimed.id, untrustedOf })];
  });
}

/** Device files that processes have open. */
export function openUses(
  devices: readonly UsbDevice[],
  files: readonly DeviceFile[],
  holders: readonly Holder[],
): HostUse[] {
  return files.flatMap(({ busid, path, kind }) => {
    const device = devices.find((other) => other.busid === busid);
    const untrustedOf = nameHolders(holders.filter((holder) => holder.path === path));
    if (!device || untrustedOf === undefined) return [];
    const isClaimed = device.interfaces.some(({ driver }) => driver === 'usbfs');
    if (kind === 'usb' && isClaimed) return [];
    // pcscd has a reader open as long as it is there, and may claim it only while there is a card.
    const isReader =
      kind === 'usb' && device.interfaces.some(({ classes }) => classes.startsWith(SMART_CARD));
    const isHarmful = isReader || HARMFUL.has(path.includes('/hiddev') ? 'hiddev' : kind);
    const untrustedName = path.replace(/^\/dev\//, '');
    return [describeUse({ busid, use: isHarmful ? 'held' : 'open', untrustedName, untrustedOf })];
  });
}

/** `pcscd (812)`, `dd (5), sh (4) and 2 others`; children have the open files of their parents. */
function nameHolders(holders: readonly Holder[]): string | undefined {
  const names = [
    ...new Set(holders.map(({ pid, untrustedCommand }) => `${untrustedCommand || 'process'} (${pid})`)),
  ];
  if (names.length === 0) return undefined;
  const [named, more] = [names.slice(0, NAMED_MAX), names.length - NAMED_MAX];
  return more > 0 ? `${named.join(', ')} and ${more} others` : named.join(', ');
}

/** Cards that play or record; `statuses` are the texts of `/proc/asound/cardN/pcm*\/sub*\/status`. */
export function soundUses(
  cards: readonly { readonly busid: Busid; readonly name: string; readonly statuses: readonly string[] }[],
): HostUse[] {
  return cards
    .filter(({ statuses }) => statuses.some((status) => status.includes('state:')))
    .map(({ busid, name }) => describeUse({ busid, use: 'sound', untrustedName: name }));
}
