/** Names of vendors and products from usb.ids (package usb.ids or hwdata), when it is installed. */
import { readFile, stat } from 'node:fs/promises';
import type { UsbDevice } from './device.js';
import { escapeText } from './text.js';

/** Where distributions put it. */
const PLACES = ['/usr/share/misc/usb.ids', '/usr/share/hwdata/usb.ids', '/var/lib/usbutils/usb.ids'];

/** Names by vendor id (`46f4`) and by vendor and product id (`46f4:0001`). */
export type UsbNames = ReadonlyMap<string, string>;

/** Parses usb.ids; only for `wanted` ids, since the whole list is 700 KB. Lines it does not understand are skipped. */
export function parseUsbIds(text: string, wanted: ReadonlySet<string>): UsbNames {
  const names = new Map<string, string>();
  let vendor = '';
  for (const line of text.split('\n')) {
    const match = /^(\t?)([0-9a-f]{4}) {2}(.+)$/.exec(line);
    // The lists of classes, languages... that follow the vendors begin with other words: they end a vendor.
    if (!match) {
      if (line !== '' && !line.startsWith('#') && !line.startsWith('\t')) vendor = '';
      continue;
    }
    if (match[1] === '') vendor = match[2]!;
    else if (vendor === '') continue;
    const id = match[1] === '' ? vendor : `${vendor}:${match[2]}`;
    if (wanted.has(id)) names.set(id, escapeText(match[3]!));
  }
  return names;
}

/** The names that were looked up last, so that whoever asks again and again need not read the whole file each time. */
const KEPT: { readonly key: string; readonly names: UsbNames }[] = [];
const KEPT_MAX = 8;

/** Reads the installed usb.ids for the ids of `devices`; no names when none is installed. */
export async function readUsbNames(
  devices: readonly UsbDevice[],
  places: readonly string[] = PLACES,
): Promise<UsbNames> {
  const wanted = new Set(
    devices.flatMap(({ vendorId, productId }) => [vendorId, `${vendorId}:${productId}`]),
  );
  for (const place of places) {
    try {
      const { ino, size, mtimeMs } = await stat(place);
      const key = [place, ino, size, mtimeMs, ...[...wanted].sort()].join(' ');
      const kept = KEPT.find((one) => one.key === key);
      if (kept) return kept.names;
      const names = parseUsbIds(await readFile(place, 'utf8'), wanted);
      KEPT.unshift({ key, names });
      KEPT.splice(KEPT_MAX);
      return names;
    } catch {
      // Not installed here.
    }
  }
  return new Map();
}

/**
 * A device's name for people: what it says about itself, otherwise what usb.ids calls it, otherwise its ids. Its own
 * words come first: chip makers sell one id to many device makers. It begins with the product, which says more than the
 * manufacturer.
 */
export function describeDevice(device: UsbDevice, names: UsbNames = new Map()): string {
  const { vendorId, productId } = device;
  const [manufacturer, product] = [said(device.manufacturer), said(device.product)];
  if (product !== undefined) {
    // Many product names contain the manufacturer's name.
    const isNamed = manufacturer === undefined || contains(product, manufacturer);
    return isNamed ? product : `${product} (${manufacturer})`;
  }
  const maker = manufacturer ?? names.get(vendorId);
  const ids = `${vendorId}:${productId}`;
  return listedName(device, names) ?? (maker === undefined ? `device ${ids}` : `${maker} device`);
}

/** What usb.ids calls a device, its vendor's name first; undefined when it does not have the device. */
export function listedName({ vendorId, productId }: UsbDevice, names: UsbNames): string | undefined {
  const [vendor, product] = [names.get(vendorId), names.get(`${vendorId}:${productId}`)];
  if (vendor === undefined || product === undefined || contains(product, vendor)) return product;
  return `${vendor} ${product}`;
}

/** Blanks alone say nothing. */
function said(text: string | undefined): string | undefined {
  return text?.trim() || undefined;
}

function contains(text: string, part: string): boolean {
  return text.toLowerCase().includes(part.toLowerCase());
}
