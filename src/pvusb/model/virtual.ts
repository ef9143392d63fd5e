/** Names of virtual devices: what pvusb's backend makes by itself, from an image file or from nothing. Pure. */

declare const brand: unique symbol;

/**
 * A virtual device's name: `stick:/srv/tools.img`, `read-only-stick:/srv/tools.img`, `keyboard`, `source-sink`. It is
 * neither a busid nor the name of any plugged-in device.
 */
export type VirtualName = string & { readonly [brand]: 'VirtualName' };

/** What a virtual device is made from. */
interface VirtualDevice {
  readonly kind: 'stick' | 'read-only-stick' | 'keyboard' | 'source-sink';
  /** The absolute path of a stick's image: a file, or a block device. */
  readonly image?: string;
}

const NAME = /^(keyboard|source-sink)$|^(stick|read-only-stick):(\/[^\p{Cc}\p{Cs}]+)$/u;

/** Any text that is meant as one, whether or not it is right. */
const MEANT = /^(?:keyboard|source-sink)$|^(?:stick|read-only-stick)(?::|$)/;

/** Longest name: it becomes a value in xenstore. Far longer than Linux's longest names of files. */
const BYTES_MAX = 1024;

/** How a virtual device is named, for people. */
export const VIRTUAL_FORM = 'stick:/IMAGE, read-only-stick:/IMAGE, keyboard or source-sink';

/** Parses a virtual device's name; undefined when it is not one. An image has an absolute path. */
export function parseVirtualName(untrustedText: string): VirtualName | undefined {
  const fits = Buffer.byteLength(untrustedText) <= BYTES_MAX;
  return fits && NAME.test(untrustedText) ? (untrustedText as VirtualName) : undefined;
}

/** What names of all versions have in common: they can be printed. */
const PRINTED = /^[^\p{Cc}\p{Cs}]+$/u;

/**
 * What a node where only domain 0 can write names as a virtual device: perhaps one that only another version of pvusb
 * knows. Undefined when the node names none.
 */
export function recordedVirtualName(text = ''): VirtualName | undefined {
  const fits = Buffer.byteLength(text) <= BYTES_MAX;
  return fits && PRINTED.test(text) ? (text as VirtualName) : undefined;
}

/** What a name says; undefined for a recorded one that this version does not know. */
export function virtualDevice(name: VirtualName): VirtualDevice | undefined {
  const found = NAME.exec(name);
  if (!found) return undefined;
  const [, plain, stick, image] = found;
  const kind = (plain ?? stick) as VirtualDevice['kind'];
  return image === undefined ? { kind } : { kind, image };
}

/** Whether a text is meant to name a virtual device, even if it does not: `stick:tools.img`. */
export function isMeantAsVirtual(untrustedText: string): boolean {
  return MEANT.test(untrustedText);
}

/** Mbit/s of the virtual devices. */
const SPEEDS: Readonly<Record<VirtualDevice['kind'], number>> = {
  stick: 480,
  'read-only-stick': 480,
  keyboard: 12,
  'source-sink': 480,
};

/** Mbit/s; 0 for one that this version does not know. */
export function virtualSpeed(name: VirtualName): number {
  const device = virtualDevice(name);
  return device ? SPEEDS[device.kind] : 0;
}

/** Whether both may exist at the same time: an image that is written to is nobody else's. */
export function excludeEachOther(a: VirtualName, b: VirtualName): boolean {
  const [one, other] = [virtualDevice(a), virtualDevice(b)];
  if (one?.image === undefined || one.image !== other?.image) return false;
  return one.kind === 'stick' || other.kind === 'stick';
}
