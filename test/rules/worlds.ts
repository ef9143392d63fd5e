/** Generated devices for the rules of other programs, few enough values apart for rules to be about them. */
import type { UsbDevice } from '../../src/sysfs/index.js';
import { parseBusid, parseInterfaceId } from '../../src/sysfs/index.js';
import type { Dice } from '../fuzz/fuzz.js';
import type { DeviceSeen } from './usbguard-oracle.js';

/** Values that occur in devices. */
export const IDS = ['046d:c52b', '046d:c077', '1234:abcd', '1234:0001'];
export const SERIALS = ['', 'A1', 'B 2'];
export const CLASSES = ['03/01/01', '03/01/02', '08/06/50', '08/06/62', '02/02/01'];
export const HASHES = ['A', 'B', 'C'].map((letter) => `${letter.repeat(43)}=`);

/** A device, and how USBGuard sees it. */
export interface SeenDevice {
  readonly device: UsbDevice;
  readonly seen: DeviceSeen;
}

/** A device with its descriptors; some of its interfaces may be those of other settings, which it does not have now. */
export function someDevice(dice: Dice, index: number): SeenDevice {
  const classes = Array.from({ length: 1 + dice.int(3) }, () => dice.pick(CLASSES));
  const now = classes.slice(0, 1 + dice.int(classes.length));
  const [vendorId, productId] = dice.pick(IDS).split(':') as [string, string];
  const serial = dice.pick(SERIALS);
  const hash = dice.pick(HASHES);
  const busid = parseBusid(`1-${index + 1}`)!;
  const release = dice.pick(['0100', '0200']);
  const device: UsbDevice = {
    busid,
    kind: 'device',
    bus: 1,
    address: index + 2,
    vendorId,
    productId,
    deviceClass: '00',
    speedMbps: 480,
    ...(serial === '' ? {} : { serial }),
    interfaces: now.map((one, number) => ({
      id: parseInterfaceId(`${busid}:1.${number}`)!,
      number,
      classes: one,
    })),
    descriptors: descriptorsOf(classes, release),
    hash,
  };
  const name = dice.pick(['Stick', 'Mouse']);
  const seen: DeviceSeen = {
    id: [`${vendorId}:${productId}`],
    serial: [serial],
    name: [name],
    hash: [hash],
    'parent-hash': [HASHES[0]!],
    'via-port': [busid],
    'with-interface': classes.map((one) => one.replaceAll('/', ':')),
    'with-connect-type': ['hotplug'],
  };
  return { device, seen };
}

function descriptorsOf(classes: readonly string[], release: string): string {
  const head = Buffer.alloc(18);
  head.set([18, 1]);
  head.writeUInt16LE(Number.parseInt(release, 16), 12);
  const interfaces = classes.map((one, at) =>
    Buffer.from([9, 4, at, 0, 0, ...Buffer.from(one.replaceAll('/', ''), 'hex'), 0]),
  );
  return Buffer.concat([head, Buffer.from([9, 2, 0, 0, 1, 1, 0, 0, 50]), ...interfaces]).toString('base64');
}
