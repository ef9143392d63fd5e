/** Words for what is shown. Pure. */
import type { Device, Gone, Port } from './view.js';

/** Control, format (bidirectional overrides, zero width) and private characters, line and paragraph separators. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/gu;

/** A text of anyone's choosing, for a text node: what cannot be seen, or turns the text around, is shown as its code. */
export function shown(untrustedText: string): string {
  return untrustedText.replace(UNSAFE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** The speed of a device as people say it; empty when it is not known. */
export function formatSpeed(mbps: number): string {
  if (mbps <= 0) return '';
  return mbps >= 1000 ? `${mbps / 1000} Gbit/s` : `${mbps} Mbit/s`;
}

/** What a device calls itself, until the daemon says what people call it. */
export function deviceName(
  device: Pick<Device, 'product' | 'manufacturer' | 'vendorId' | 'productId'>,
): string {
  const { product, manufacturer, vendorId, productId } = device;
  return product ?? manufacturer ?? `Device ${vendorId}:${productId}`;
}

/** All classes of a device, `08/06/50 03/01/01`. */
export function classesOf({ deviceClass, interfaces }: Pick<Device, 'deviceClass' | 'interfaces'>): string {
  return [...interfaces.map(({ classes }) => classes), deviceClass].join(' ');
}

/** What kind of thing a device is. */
export type Kind =
  | 'storage'
  | 'keyboard'
  | 'mouse'
  | 'audio'
  | 'network'
  | 'wireless'
  | 'video'
  | 'printer'
  | 'card'
  | 'serial'
  | 'hub'
  | 'controller'
  | 'usb';

const KINDS: readonly (readonly [classes: RegExp, kind: Kind, word: string])[] = [
  [/^08/, 'storage', 'storage'],
  [/^0b/, 'card', 'smart card reader'],
  [/^07/, 'printer', 'printer'],
  [/^0e/, 'video', 'camera'],
  [/^01/, 'audio', 'audio'],
  [/^e0\/01\/01/, 'wireless', 'Bluetooth'],
  [/^02\/0[6-9a-f]|^e0/, 'network', 'network'],
  [/^02|^0a/, 'serial', 'serial'],
  [/^03\/01\/01/, 'keyboard', 'keyboard'],
  [/^03\/01\/02/, 'mouse', 'mouse'],
  [/^03/, 'keyboard', 'input'],
  [/^09/, 'hub', 'hub'],
];

/** The kind of a device, and a word for it. */
export function kindOf(device: Device | Gone): { readonly kind: Kind; readonly word: string } {
  if ('kind' in device && device.kind === 'root-hub') return { kind: 'controller', word: 'USB controller' };
  if ('kind' in device && device.kind === 'hub') return { kind: 'hub', word: 'hub' };
  const classes = ('classes' in device ? device.classes : classesOf(device)).split(' ');
  const [, kind, word] = KINDS.find(([pattern]) => classes.some((one) => pattern.test(one))) ?? [];
  return { kind: kind ?? 'usb', word: word ?? 'USB device' };
}

/** The socket of a device as people count them: of `3-1.5` it is 1.5. */
export function socketOf(busid: string): string {
  return busid.slice(busid.indexOf('-') + 1);
}

/** Sockets in a row as people write them: `1.1–1.4, 1.7`. */
export function socketRanges(sockets: readonly string[]): string {
  const ranges: { readonly first: string; last: string }[] = [];
  for (const socket of sockets) {
    const range = ranges.at(-1);
    if (range !== undefined && numberOf(socket) === numberOf(range.last) + 1) range.last = socket;
    else ranges.push({ first: socket, last: socket });
  }
  return ranges.map(({ first, last }) => (first === last ? first : `${first}–${last}`)).join(', ');
}

function numberOf(socket: string): number {
  return Number(socket.slice(socket.lastIndexOf('.') + 1));
}

/** What has become of a device in a port; undefined when the guest simply has it. */
export function portTrouble({
  state,
  missing,
}: Port): { readonly word: string; readonly why: string } | undefined {
  if (missing || state === 'missing')
    return { word: 'pulled out', why: 'The port is still taken until it is freed.' };
  if (state === 'waiting') return { word: 'waiting', why: 'The guest has not taken it yet.' };
  if (state === 'not-opened') return { word: 'not taken', why: 'The guest cannot use it: see the findings.' };
  if (state === 'other-device')
    return { word: 'another device', why: 'Another device is in that socket now.' };
  return undefined;
}

/** `1 device`, `3 devices`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

const IDENTITIES: Readonly<Record<string, string>> = {
  serial: 'its serial number: it is recognised in any socket',
  socket: 'this socket and its model: the same model in another socket counts as another device',
  id: 'its model: every device of that model',
  interface: 'its class',
  hash: 'its descriptors',
  behind: 'the hub that it is behind',
};

/** By which identity a rule recognises a device, in words. */
export function identityWords(by: readonly string[]): string {
  return by.map((one) => IDENTITIES[one] ?? one).join(', and ');
}
