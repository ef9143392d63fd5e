/** The kinds of guests and controllers with which every case is run. */

import type { Suite } from '../../../lab/debian/suites.js';
import type { GuestName } from '../../../lab/lab/lab.js';
import type { MachineOptions } from '../../../lab/machine/machine.js';

/** One row of the matrix. */
export interface Setup {
  /** `qusb in a PVH guest`. */
  readonly title: string;
  /** Of its lab. */
  readonly name: string;
  readonly type: 'pv' | 'qusb' | 'devicemodel';
  /** Who serves its controllers; `pvusb` is `pvusb backend`. */
  readonly server: 'usbback' | 'pvusb' | 'QEMU';
  readonly guest: GuestName;
  /** Settings of the guest that differ from its file, in xl's form. */
  readonly settings?: readonly string[];
  readonly machine: Pick<MachineOptions, 'cpu' | 'store'>;
  /** The guest sees the device and its files: not with a usbback that moves no data. */
  readonly hasData: boolean;
}

const PV: Omit<Setup, 'machine'> = {
  title: 'pv in a PV guest',
  name: 'pv',
  type: 'pv',
  server: 'usbback',
  guest: 'pv1',
  hasData: false,
};

const BACKEND: Omit<Setup, 'machine'> = {
  ...PV,
  title: 'pv in a PV guest, served by pvusb',
  name: 'backend',
  server: 'pvusb',
  hasData: true,
};

const QUSB: Omit<Setup, 'machine'> = {
  title: 'qusb in a PV guest',
  name: 'qusb',
  type: 'qusb',
  server: 'QEMU',
  guest: 'pv2',
  hasData: true,
};

/** The rows. oxenstored is tested with the two that differ most. */
export const SETUPS = {
  pv: { ...PV, machine: { cpu: 'pv', store: 'c' } },
  'pv-oxenstored': {
    ...PV,
    title: 'pv in a PV guest, with oxenstored',
    machine: { cpu: 'pv', store: 'o' },
  },
  backend: { ...BACKEND, machine: { cpu: 'pv', store: 'c' } },
  'backend-pvh': {
    ...BACKEND,
    title: 'pv in a PVH guest, served by pvusb',
    guest: 'pvh1',
    // As pv1: without the controller that is for its QEMU.
    settings: ['usbctrl=[]'],
    machine: { cpu: 'hvm', store: 'c' },
  },
  qusb: { ...QUSB, machine: { cpu: 'pv', store: 'c' } },
  'qusb-oxenstored': {
    ...QUSB,
    title: 'qusb in a PV guest, with oxenstored',
    machine: { cpu: 'pv', store: 'o' },
  },
  'qusb-pvh': {
    ...QUSB,
    title: 'qusb in a PVH guest',
    guest: 'pvh1',
    machine: { cpu: 'hvm', store: 'c' },
  },
  devicemodel: {
    title: 'devicemodel in an HVM guest',
    name: 'devicemodel',
    type: 'devicemodel',
    server: 'QEMU',
    guest: 'hvm1',
    machine: { cpu: 'hvm', store: 'c' },
    hasData: true,
  },
} as const satisfies Readonly<Record<string, Setup>>;

/**
 * Whose QEMU ends as soon as it is given a controller of type qusb ("Device 'xen-backend' does not support hotplugging":
 * observed with 10.0 and 11.1).
 */
const WITHOUT_QUSB: ReadonlySet<Suite> = new Set(['trixie', 'sid']);

/** Whether a QEMU of this release of Debian can serve a controller of type qusb. */
export function canServeQusb(release: Suite): boolean {
  return !WITHOUT_QUSB.has(release);
}

/** Whether a setup can work on a release of Debian. */
export function isPossible({ type }: Setup, release: Suite): boolean {
  return type !== 'qusb' || canServeQusb(release);
}
