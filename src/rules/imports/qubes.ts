/** Devices as Qubes OS names them: `046d:c52b:SERIAL:u030101u030102`. */
import { type Busid, parseBusid } from '../../sysfs/busid.js';
import type { UsbDevice } from '../../sysfs/device.js';
import { escapeText } from '../../sysfs/text.js';
import { mismatch } from '../match.js';
import type { Identity } from '../rule.js';

/** A device as Qubes OS names it. */
interface QubesName {
  readonly identity: Identity;
  /** The socket that it is in now, whose name changes with the number of its bus; undefined for any. */
  readonly busid?: Busid;
}

/** A port or `*`, vendor, product, a serial number that may have colons in it, and interfaces. */
const NAME =
  /^(?:([0-9]+-[0-9]+(?:[._][0-9]+)*|\*):)?([0-9a-f]{4}:[0-9a-f]{4}):(.*):((?:u[0-9a-f]{6}|\?\*{6})+)$/is;

/** Far longer than any: 32 interfaces, a serial number. */
const LENGTH_MAX = 600;

/**
 * Reads the name that Qubes OS gives a device, with or without a port before it. Without a serial number it is about
 * devices without one. `?******` stands for interfaces that were not known.
 */
export function parseQubesName(untrustedText: string): QubesName | undefined {
  if (untrustedText.length > LENGTH_MAX) return undefined;
  const [, port, ids, serial, interfaces] = NAME.exec(untrustedText) ?? [];
  if (ids === undefined) return undefined;
  const busid = port === undefined || port === '*' ? undefined : parseBusid(port.replaceAll('_', '.'));
  if (busid === undefined && port !== undefined && port !== '*') return undefined;
  const patterns = [...interfaces!.toLowerCase().matchAll(/u(..)(..)(..)/g)].map((one) =>
    one.slice(1).join('/'),
  );
  return {
    identity: {
      ids: ids.toLowerCase(),
      serial: escapeText(serial!).trim(),
      ...(interfaces!.includes('?') ? {} : { interfaces: [...new Set(patterns)] }),
    },
    ...(busid === undefined ? {} : { busid }),
  };
}

/** Whether a device has that name: these ids, this serial number, and these interfaces, all of them and no others. */
export function hasQubesName(device: UsbDevice, { identity, busid }: QubesName): boolean {
  if (busid !== undefined && device.busid !== busid) return false;
  const subject = { device, socket: '' };
  const isAbout = (mode: 'ask' | 'deny', one: Identity): boolean => {
    const place = { file: '', line: 1, column: 1 };
    return mismatch({ mode, guest: '', identity: one, every: false, place }, subject) === undefined;
  };
  const each = identity.interfaces?.every((pattern) => isAbout('deny', { interfaces: [pattern] })) ?? true;
  return each && isAbout('ask', identity);
}
