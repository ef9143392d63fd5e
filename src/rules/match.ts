/** Whether a rule is about a device, and how specific it is. */
import type { UsbDevice } from '../sysfs/device.js';
import type { Identity, Mode, Rule } from './rule.js';

/** A device, and the socket that it is in. */
export interface Subject {
  readonly device: UsbDevice;
  readonly socket: string;
}

/** The first thing that a rule says of its device and that is not so of this one; undefined when the rule is about it. */
export function mismatch({ identity, mode }: Rule, subject: Subject): keyof Identity | undefined {
  const { ids, serial, socket, behind, interfaces, hash } = identity;
  const { device } = subject;
  if (ids !== undefined && !hasIds(ids, device)) return 'ids';
  if (serial !== undefined && (device.serial?.trim() ?? '') !== serial) return 'serial';
  if (socket !== undefined && subject.socket !== socket) return 'socket';
  if (behind !== undefined && !subject.socket.startsWith(`${behind}.`)) return 'behind';
  if (hash !== undefined && device.hash !== hash) return 'hash';
  if (interfaces !== undefined && !hasInterfaces(interfaces, mode, device)) return 'interfaces';
  return undefined;
}

function hasIds(ids: string, { vendorId, productId }: UsbDevice): boolean {
  if (!ids.startsWith(vendorId)) return false;
  return ids.endsWith('*') || ids.endsWith(productId);
}

/**
 * A device that claims to be a stick and a keyboard is neither when it is given, and both when it is denied: what a
 * rule gives is only what it names.
 */
function hasInterfaces(patterns: readonly string[], mode: Mode, { interfaces }: UsbDevice): boolean {
  const isNamed = ({ classes }: { readonly classes: string }): boolean =>
    patterns.some((pattern) => classes.startsWith(prefixOf(pattern)));
  if (mode === 'deny') return interfaces.some(isNamed);
  return interfaces.length > 0 && interfaces.every(isNamed);
}

/** What classes have to begin with: `08/` for `08/*`. */
function prefixOf(pattern: string): string {
  const star = pattern.indexOf('*');
  if (star !== -1) return pattern.slice(0, star);
  return pattern.length === 8 ? pattern : `${pattern}/`;
}

/**
 * How specific a rule is; the higher wins. What a device is (its hash, its serial number) counts for more than where it
 * is (its socket), that for more than what kind it is (product, place behind a hub, vendor, interfaces). Of two rules
 * that name the same thing, the one that says more wins.
 */
export function specificity({ ids, serial, socket, behind, interfaces, hash }: Identity): number {
  const isModel = ids !== undefined && !ids.endsWith('*');
  const depth = behind === undefined ? 0 : Math.min(7, behind.split('.').length);
  const parts =
    interfaces === undefined
      ? 0
      : Math.min(...interfaces.map((one) => prefixOf(one).split('/').filter(Boolean).length));
  const ranks: readonly (readonly [number, number])[] = [
    [Number(hash !== undefined), 2],
    [Number(serial !== undefined && serial !== ''), 2],
    [Number(socket !== undefined), 2],
    [Number(isModel), 2],
    [depth, 8],
    [Number(ids !== undefined), 2],
    [parts, 4],
    [Number(serial === ''), 2],
  ];
  return ranks.reduce((sum, [rank, base]) => sum * base + rank, 0);
}

/** Whether a rule is about one device: two that are alike are then told apart, or nobody gets them. */
export function isAboutOne({ identity, every }: Rule): boolean {
  const { ids, serial, socket, hash } = identity;
  if (every || socket !== undefined) return false;
  return (
    hash !== undefined || (serial !== undefined && serial !== '') || (ids !== undefined && !ids.endsWith('*'))
  );
}
