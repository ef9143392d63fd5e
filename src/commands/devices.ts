/** The devices of a host as data: what `devices` answers. */
import type { HostUse, Inventory } from '../pvusb/index.js';
import { describeDevice, listedName, type UsbDevice, type UsbNames } from '../sysfs/index.js';
import { describeHolder, whyNotAttachable } from './holders.js';

/** A device, and what is known about it. */
export interface ListedDevice extends Omit<UsbDevice, 'descriptors' | 'hash'> {
  /** Its name, for people. */
  readonly name: string;
  /** What usb.ids calls it, if that is something else. */
  readonly listedAs?: string | undefined;
  /** Guests or drivers; `-` for none. */
  readonly usedBy: string;
  /** Whether it can be attached. */
  readonly assignable: boolean;
  /** Why not, in a word or two. */
  readonly reason?: string | undefined;
  /** How the host uses it; absent if that was not checked. */
  readonly uses?: readonly HostUse[] | undefined;
}

/** The devices that are shown: with `all` the root hubs too. */
export function shownDevices(
  { devices }: Inventory,
  { all = false }: { readonly all?: boolean | undefined },
): UsbDevice[] {
  return devices.filter(({ kind }) => all || kind !== 'root-hub');
}

/** What usb.ids calls a device that also has its own name. */
export function secondName(device: UsbDevice, names: UsbNames): string | undefined {
  const name = listedName(device, names);
  return name === describeDevice(device, names) ? undefined : name;
}

/** The devices as data. */
export function listedDevices(
  inventory: Inventory,
  names: UsbNames,
  options: { readonly all?: boolean | undefined },
): ListedDevice[] {
  return shownDevices(inventory, options).map((device) => {
    const reason = whyNotAttachable(inventory, device);
    // What only the rules look at is in the inventory.
    const { descriptors: _descriptors, hash: _hash, ...shown } = device;
    return {
      ...shown,
      name: describeDevice(device, names),
      listedAs: secondName(device, names),
      usedBy: describeHolder(inventory, device),
      assignable: reason === undefined,
      reason,
      uses: inventory.uses?.filter(({ busid }) => busid === device.busid),
    };
  });
}
