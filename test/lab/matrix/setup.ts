/** The kinds of guests and controllers that every case is run with. */
import type { GuestName } from '../../../lab/lab.js';
import type { MachineOptions } from '../../../lab/machine.js';

/** One row of the matrix. */
export interface Setup {
  /** `qusb in a PVH guest`. */
  readonly title: string;
  /** Of its lab. */
  readonly name: string;
  readonly type: 'pv' | 'qusb' | 'devicemodel';
  readonly guest: GuestName;
  readonly machine: Pick<MachineOptions, 'cpu' | 'store'>;
  /** The guest sees the device and its files: not with a usbback that moves no data. */
  readonly hasData: boolean;
  /** How many moments of an attach and a detach are cut off by kill -9. */
  readonly kills: number;
}

const PV: Omit<Setup, 'machine'> = {
  title: 'pv in a PV guest',
  name: 'pv',
  type: 'pv',
  guest: 'pv1',
  hasData: false,
  kills: 8,
};

const QUSB: Omit<Setup, 'machine'> = {
  title: 'qusb in a PV guest',
  name: 'qusb',
  type: 'qusb',
  guest: 'pv2',
  hasData: true,
  kills: 8,
};

/** The rows. oxenstored is shown with the two that differ most. */
export const SETUPS = {
  pv: { ...PV, machine: { cpu: 'pv', store: 'c' } },
  'pv-oxenstored': {
    ...PV,
    title: 'pv in a PV guest, with oxenstored',
    machine: { cpu: 'pv', store: 'o' },
    kills: 4,
  },
  qusb: { ...QUSB, machine: { cpu: 'pv', store: 'c' } },
  'qusb-oxenstored': {
    ...QUSB,
    title: 'qusb in a PV guest, with oxenstored',
    machine: { cpu: 'pv', store: 'o' },
    kills: 4,
  },
  'qusb-pvh': {
    ...QUSB,
    title: 'qusb in a PVH guest',
    guest: 'pvh1',
    machine: { cpu: 'hvm', store: 'c' },
    kills: 4,
  },
  devicemodel: {
    title: 'devicemodel in an HVM guest',
    name: 'devicemodel',
    type: 'devicemodel',
    guest: 'hvm1',
    machine: { cpu: 'hvm', store: 'c' },
    hasData: true,
    kills: 4,
  },
} as const satisfies Readonly<Record<string, Setup>>;
